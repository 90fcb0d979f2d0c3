// Node-RED as it is installed, without its editor and its diagnostics.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: process.env.BENCH_PORT,
  flowFile: "flow.json",
  httpAdminRoot: false,
  telemetry: { enabled: false, updateNotification: false },
  logging: { console: { level: "warn", metrics: false, audit: false } },
};
