package app

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// metrics are what /metrics shows; docs/operations.md lists the names. Labels
// are names of routes, workers, flows and states, never of people.
type metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.HistogramVec
	failures   *prometheus.CounterVec
	records    *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	held       *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "reeve_http_request_seconds", Help: "Requests by route and status class.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
		}, []string{"route", "status"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reeve_worker_failures_total", Help: "Steps of workers that failed and were tried again.",
		}, []string{"worker"}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reeve_records_total", Help: "Records that came in, by what became of them at the door.",
		}, []string{"type", "outcome"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reeve_deliveries_total", Help: "Attempts to deliver a record, by outcome.",
		}, []string{"flow", "outcome"}),
		held: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "reeve_correction_seconds", Help: "How long records were held before they were corrected and went on.",
			Buckets: []float64{60, 600, 3600, 4 * 3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600, 30 * 24 * 3600},
		}, []string{"type"}),
	}
	m.registry.MustRegister(m.requests, m.failures, m.records, m.deliveries, m.held, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) request(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
}

func (m *metrics) failed(worker string) { m.failures.WithLabelValues(worker).Inc() }

// received counts what became of records of a defined type.
func (m *metrics) received(recordType string, c intake.Counts) {
	for outcome, n := range map[string]int64{"accepted": c.Accepted, "held": c.Held, "duplicate": c.Duplicate, "refused": c.Refused} {
		m.records.WithLabelValues(recordType, outcome).Add(float64(n))
	}
}

// corrected notes how long a record was held that goes on now.
func (m *metrics) corrected(t reeve.RecordType, held time.Duration) {
	m.held.WithLabelValues(string(t)).Observe(held.Seconds())
}

// delivered counts outcomes of attempts; one that never left counts for nothing.
func (m *metrics) delivered(flow, outcome string, n int) {
	if outcome != connector.Untried.String() {
		m.deliveries.WithLabelValues(flow, outcome).Add(float64(n))
	}
}

// observe adds what is asked of the house at each scrape, and begins every counter
// at nought, so that its first step is seen.
func (m *metrics) observe(a *App) {
	for _, w := range a.k.Workers() {
		m.failures.WithLabelValues(w.Name)
	}
	a.k.Defs.OnActivate(func(s *def.Set) (func(), []def.Problem) {
		return func() {
			for _, o := range s.Objects() {
				switch o.Kind {
				case "RecordType":
					m.received(o.ID, intake.Counts{})
					m.held.WithLabelValues(o.ID)
				case "Flow":
					for _, outcome := range []connector.Outcome{connector.Delivered, connector.Refused, connector.Later, connector.Unclear} {
						m.delivered(o.ID, outcome.String(), 0)
					}
				}
			}
		}, nil
	})
	m.registry.MustRegister(&gauges{a})
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// gauges reads the state of the house when it is scraped.
type gauges struct{ a *App }

var (
	descCommits = prometheus.NewDesc("reeve_commits_total", "Commit groups made durable.", nil, nil)
	descCallers = prometheus.NewDesc("reeve_commit_callers_total", "Functions committed in those groups.", nil, nil)
	descFsyncs  = prometheus.NewDesc("reeve_commit_fsyncs_total", "Waits for the disk by commits.", nil, nil)
	descRecords = prometheus.NewDesc("reeve_record_numbers", "Highest record number given out.", nil, nil)
	descEntries = prometheus.NewDesc("reeve_journal_entries", "Entries in the journal.", nil, nil)
	descFailing = prometheus.NewDesc("reeve_events_failing", "Events that a handler could not take.", []string{"consumer"}, nil)
	descFlow    = prometheus.NewDesc("reeve_flow_records", "Records of a flow by state.", []string{"flow", "state"}, nil)
	descLag     = prometheus.NewDesc("reeve_flow_lag_records", "Records that a flow has yet to read.", []string{"flow"}, nil)
	descHeld    = prometheus.NewDesc("reeve_records_held", "Records that wait for correction.", []string{"type"}, nil)
)

func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descCommits, descCallers, descFsyncs, descRecords, descEntries, descFailing, descFlow, descLag, descHeld} {
		ch <- d
	}
}

func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	send := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	s := g.a.k.DB.Stats()
	send(descCommits, prometheus.CounterValue, float64(s.Commits))
	send(descCallers, prometheus.CounterValue, float64(s.Callers))
	send(descFsyncs, prometheus.CounterValue, float64(s.Fsyncs))
	if n, err := g.a.k.Log.Last(ctx); err == nil {
		send(descRecords, prometheus.GaugeValue, float64(n))
	}
	if n, err := g.a.k.Journal.Size(ctx); err == nil {
		send(descEntries, prometheus.GaugeValue, float64(n))
	}
	if fs, err := g.a.k.Bus.Failing(ctx); err == nil {
		by := map[string]int{}
		for _, c := range g.a.k.Bus.Consumers() {
			by[c] = 0
		}
		for _, f := range fs {
			by[f.Consumer]++
		}
		for c, n := range by {
			send(descFailing, prometheus.GaugeValue, float64(n), c)
		}
	}
	g.a.collectBlocks(ctx, send)
}
