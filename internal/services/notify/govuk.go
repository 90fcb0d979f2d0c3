package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
)

// GOVUK is a client of the GOV.UK Notify REST API
// (https://docs.notifications.service.gov.uk/rest-api.html).
type GOVUK struct {
	base         string
	service, key string
	http         *http.Client
	now          func() time.Time
	emailReplyTo string
	smsSenderID  string
}

// GOVUKOptions set the client up. APIKey is as Notify shows it:
// name-serviceuuid-secretuuid.
type GOVUKOptions struct {
	BaseURL      string // "" is https://api.notifications.service.gov.uk
	APIKey       string
	EmailReplyTo string // id of a reply-to address set up in Notify, or ""
	SMSSender    string // id of a text message sender set up in Notify, or ""
	HTTP         *http.Client
	Now          func() time.Time
}

// NewGOVUK returns a client, or an Invalid error that says what is wrong with the key.
func NewGOVUK(o GOVUKOptions) (*GOVUK, error) {
	const op = "services.notify.NewGOVUK"
	if len(o.APIKey) < 73 {
		return nil, reeve.E(reeve.Invalid, op, "the Notify API key is too short: copy all of it, name-serviceid-secret")
	}
	secret, service := o.APIKey[len(o.APIKey)-36:], o.APIKey[len(o.APIKey)-73:len(o.APIKey)-37]
	if !uuid.MatchString(service) || !uuid.MatchString(secret) {
		return nil, reeve.E(reeve.Invalid, op, "the Notify API key does not end in two ids: copy all of it, name-serviceid-secret")
	}
	if o.BaseURL == "" {
		o.BaseURL = "https://api.notifications.service.gov.uk"
	}
	u, err := url.Parse(o.BaseURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, reeve.E(reeve.Invalid, op, "the address of Notify is not an http address")
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if o.Now == nil {
		return nil, reeve.E(reeve.Invalid, op, "the client needs a clock")
	}
	return &GOVUK{base: strings.TrimRight(o.BaseURL, "/"), service: service, key: secret, http: o.HTTP, now: o.Now, emailReplyTo: o.EmailReplyTo, smsSenderID: o.SMSSender}, nil
}

// bearer returns the JWT of one request: HS256 with the secret as key, iss the
// service and iat now. Notify refuses one whose iat is 30 seconds off.
func (g *GOVUK) bearer() string {
	enc := base64.RawURLEncoding
	head := enc.EncodeToString([]byte(`{"typ":"JWT","alg":"HS256"}`))
	body := enc.EncodeToString([]byte(`{"iss":"` + g.service + `","iat":` + strconv.FormatInt(g.now().Unix(), 10) + `}`))
	m := hmac.New(sha256.New, []byte(g.key))
	m.Write([]byte(head + "." + body))
	return head + "." + body + "." + enc.EncodeToString(m.Sum(nil))
}

// Send implements [Sender].
func (g *GOVUK) Send(ctx context.Context, m Outgoing) (string, error) {
	if m.NotifyID == "" {
		return "", &Failure{Refused: true, Reason: "the template has no notifyId"}
	}
	personal := map[string]string{}
	for k, v := range m.Fields {
		personal[k] = v
	}
	body := map[string]any{"template_id": m.NotifyID, "reference": m.Reference, "personalisation": personal}
	switch m.Channel {
	case "email":
		body["email_address"] = m.To
		if g.emailReplyTo != "" {
			body["email_reply_to_id"] = g.emailReplyTo
		}
	case "sms":
		body["phone_number"] = m.To
		if g.smsSenderID != "" {
			body["sms_sender_id"] = g.smsSenderID
		}
	case "letter":
		lines := strings.Split(m.To, "\n")
		if len(lines) < 3 || len(lines) > 7 {
			return "", &Failure{Refused: true, Reason: fmt.Sprintf("a letter needs an address of 3 to 7 lines with the name; this one has %d", len(lines))}
		}
		for i, l := range lines {
			personal["address_line_"+strconv.Itoa(i+1)] = l
		}
	default:
		return "", &Failure{Refused: true, Reason: "Notify does not know the channel " + m.Channel}
	}
	var answer struct {
		ID string `json:"id"`
	}
	if err := g.call(ctx, http.MethodPost, "/v2/notifications/"+m.Channel, body, &answer); err != nil {
		return "", err
	}
	if answer.ID == "" {
		return "", &Failure{Unclear: true, Reason: "Notify answered without an id"}
	}
	return answer.ID, nil
}

// Find implements [Sender].
func (g *GOVUK) Find(ctx context.Context, m Outgoing) (string, bool, error) {
	var answer struct {
		Notifications []struct {
			ID        string `json:"id"`
			Reference string `json:"reference"`
		} `json:"notifications"`
	}
	q := url.Values{"reference": {m.Reference}, "template_type": {m.Channel}}
	if err := g.call(ctx, http.MethodGet, "/v2/notifications?"+q.Encode(), nil, &answer); err != nil {
		return "", false, err
	}
	for _, n := range answer.Notifications {
		if n.Reference == m.Reference {
			return n.ID, true, nil
		}
	}
	return "", false, nil
}

// Status implements [Sender].
func (g *GOVUK) Status(ctx context.Context, remote string) (string, error) {
	var answer struct {
		Status string `json:"status"`
	}
	if err := g.call(ctx, http.MethodGet, "/v2/notifications/"+url.PathEscape(remote), nil, &answer); err != nil {
		return "", err
	}
	return stateOf(answer.Status), nil
}

// stateOf turns Notify's word for a state into ours; "" says nothing new. A
// letter is "received" when the printer has it, and no more is ever said of it.
func stateOf(status string) string {
	switch status {
	case "delivered", "received":
		return Delivered
	case "permanent-failure", "validation-failed", "virus-scan-failed":
		return PermanentFailure
	case "temporary-failure":
		return TemporaryFailure
	case "technical-failure":
		return TechnicalFailure
	case "cancelled":
		return Cancelled
	}
	return "" // created, sending, pending, sent (abroad), accepted, pending-virus-check
}

// call does one request. What Notify says is wrong is kept by the name of its
// error only: its messages can repeat an address.
func (g *GOVUK) call(ctx context.Context, method, path string, body, answer any) error {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, g.base+path, r)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+g.bearer())
	req.Header.Set("User-Agent", "reeve")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := g.http.Do(req)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			return &Failure{Reason: "Notify could not be reached"}
		}
		return &Failure{Unclear: true, Reason: "the connection to Notify failed"}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		after, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return &Failure{Reason: "Notify says that we send too fast or too much: " + reasons(b), After: time.Duration(min(max(after, 0), 86400)) * time.Second}
	case resp.StatusCode >= 500:
		return &Failure{Unclear: true, Reason: fmt.Sprintf("Notify answered %d", resp.StatusCode)}
	case resp.StatusCode >= 300:
		return &Failure{Refused: true, Reason: fmt.Sprintf("Notify refused it (%d): %s", resp.StatusCode, reasons(b))}
	case err != nil:
		return &Failure{Unclear: true, Reason: "Notify's answer broke off"}
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return &Failure{Unclear: true, Reason: "Notify's answer is not JSON"}
	}
	return nil
}

// reasons are the kinds of error in an answer, with hints that hold no values.
func reasons(b []byte) string {
	var answer struct {
		Errors []struct{ Error, Message string }
	}
	if json.Unmarshal(b, &answer) != nil || len(answer.Errors) == 0 {
		return "without saying why"
	}
	var all []string
	for _, e := range answer.Errors {
		s := e.Error
		for _, hint := range []string{"Missing personalisation", "Template not found", "team-only API key", "trial mode", "system clock", "signature", "not a valid email address", "Not a valid phone number", "Not enough digits", "Must be a UK mobile", "exceeded", "has been archived"} {
			if strings.Contains(strings.ToLower(e.Message), strings.ToLower(hint)) {
				s += " (" + hint + ")"
				break
			}
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}
