package notifysim

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script is what GOV.UK's own client for Node does with the stand-in.
const script = `
const { NotifyClient } = require('notifications-node-client');
const [url, key, other] = process.argv.slice(1);
const id = '0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a01', sms = '0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a02', letter = '0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a03';
(async () => {
  const c = new NotifyClient(url, key);
  const e = await c.sendEmail(id, 'ann@example.org', { personalisation: { name: 'Ann' }, reference: 'm-1' });
  console.log('email', e.status, e.data.reference, e.data.content.subject, e.data.template.id === id);
  const s = await c.sendSms(sms, '07900900123', { personalisation: { name: 'Ann' }, reference: 'm-2' });
  console.log('sms', s.status, s.data.content.body);
  const l = await c.sendLetter(letter, { personalisation: { address_line_1: 'Ann', address_line_2: '1 High Street', address_line_3: 'AS1 1AA', name: 'Ann' }, reference: 'm-3' });
  console.log('letter', l.status, l.data.content.subject);
  const one = await c.getNotificationById(e.data.id);
  console.log('one', one.data.status, one.data.email_address, one.data.type);
  const all = await c.getNotifications('sms', undefined, 'm-2');
  console.log('all', all.data.notifications.length, all.data.notifications[0].phone_number);
  for (const [what, f] of [
    ['key', () => new NotifyClient(url, other).sendEmail(id, 'ann@example.org', { personalisation: { name: 'Ann' } })],
    ['missing', () => c.sendEmail(id, 'ann@example.org', {})],
    ['address', () => c.sendEmail(id, 'ann', { personalisation: { name: 'Ann' } })],
    ['gone', () => c.getNotificationById('0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7aff')],
  ]) {
    try { await f(); console.log(what, 'went well'); }
    catch (err) { console.log(what, err.response.status, err.response.data.errors[0].error); }
  }
})().catch(err => { console.log('failed', err.message, err.response && JSON.stringify(err.response.data)); process.exit(1); });
`

const want = `email 201 m-1 Hello Ann true
sms 201 Hi Ann
letter 201 Dear Ann
one created ann@example.org email
all 1 07900900123
key 403 AuthError
missing 400 BadRequestError
address 400 ValidationError
gone 404 NoResultFound
`

// TestNodeClient shows that the stand-in speaks as Notify does: to GOV.UK's own
// client. It needs `npm install notifications-node-client` in the folder that
// NOTIFY_NODE_CLIENT names, and is skipped without.
func TestNodeClient(t *testing.T) {
	dir := os.Getenv("NOTIFY_NODE_CLIENT")
	if dir == "" {
		t.Skip("NOTIFY_NODE_CLIENT names no folder with the npm package notifications-node-client")
	}
	s := New(time.Now)
	for id, tpl := range map[string]Template{
		"0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a01": {Type: "email", Subject: "Hello ((name))", Body: "Bye"},
		"0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a02": {Type: "sms", Body: "Hi ((name))"},
		"0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a03": {Type: "letter", Subject: "Dear ((name))", Body: "Bye"},
	} {
		s.Templates[id] = tpl
	}
	srv := httptest.NewServer(s)
	defer srv.Close()
	cmd := exec.CommandContext(t.Context(), "node", "-e", script, srv.URL, s.APIKey(), New(time.Now).APIKey())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != strings.TrimSpace(want) {
		t.Errorf("%v\ngot\n%s\nwant\n%s", err, out, want)
	}
}
