// Package notifysim is a stand-in for GOV.UK Notify for tests and the
// demonstration: it checks the same things, speaks the same payloads and, when
// told to, misbehaves. It keeps what it was given in memory, and in a file if it is
// opened with a folder.
package notifysim

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Template is a template set up in the service.
type Template struct {
	ID, Type, Subject, Body string
}

// Notification is one that was taken.
type Notification struct {
	ID              string
	Reference       string
	Type            string // email, sms, letter
	To              string // address, number, or the lines of a letter
	Template        string
	Personalisation map[string]string
	Subject, Body   string
	Status          string
	Created         time.Time
	Completed       time.Time
}

// Server is the stand-in. Set it up before it is used.
type Server struct {
	ServiceID, Secret string
	Now               func() time.Time
	Templates         map[string]Template // empty: any template is taken
	// CallbackURL and CallbackToken: where and how Deliver tells of a status.
	CallbackURL, CallbackToken string
	Client                     *http.Client

	mu    sync.Mutex
	file  *os.File // nil: memory only
	got   []*Notification
	fail  []int // statuses to answer instead of taking
	drop  int   // take so many more and break the connection
	asked int   // GET requests
	calls int
}

// New returns a server with a made-up service that keeps nothing; APIKey is its key.
func New(now func() time.Time) *Server {
	return &Server{ServiceID: newUUID(), Secret: newUUID(), Now: now, Templates: map[string]Template{}, Client: http.DefaultClient}
}

// APIKey is what Notify would show on its page.
func (s *Server) APIKey() string { return "test-" + s.ServiceID + "-" + s.Secret }

// FailNext makes the next requests to send answer with these statuses.
func (s *Server) FailNext(statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = append(s.fail, statuses...)
}

// DropNext makes the next n requests to send take the message and break the
// connection before answering.
func (s *Server) DropNext(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop += n
}

// Sent returns what was taken, in order.
func (s *Server) Sent() []Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Notification, len(s.got))
	for i, n := range s.got {
		all[i] = *n
	}
	return all
}

// Calls returns how many requests there were to send, and to ask.
func (s *Server) Calls() (send, ask int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.asked
}

// Set gives a notification a status without telling anybody.
func (s *Server) Set(id, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.find(id)
	if n == nil {
		return fmt.Errorf("no notification %s", id)
	}
	n.Status, n.Completed = name, s.Now()
	return s.keep(line{Status: &status{n.ID, n.Status, n.Completed}})
}

// Deliver gives a notification a status and tells by call-back, as Notify does.
func (s *Server) Deliver(id, status string) error {
	if err := s.Set(id, status); err != nil {
		return err
	}
	s.mu.Lock()
	n := *s.find(id)
	s.mu.Unlock()
	b, err := json.Marshal(map[string]any{
		"id": n.ID, "reference": orNull(n.Reference), "to": n.To, "status": status,
		"created_at": stamp(n.Created), "completed_at": stamp(n.Completed), "sent_at": stamp(n.Created),
		"notification_type": n.Type, "template_id": n.Template, "template_version": 1,
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, s.CallbackURL, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.CallbackToken)
	resp, err := s.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the call-back was answered %s", resp.Status)
	}
	return nil
}

func (s *Server) find(id string) *Notification {
	for _, n := range s.got {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// ServeHTTP speaks the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if msg := s.authorise(r); msg != "" {
		refuse(w, http.StatusForbidden, "AuthError", msg)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/v2/notifications")
	switch {
	case !strings.HasPrefix(r.URL.Path, "/v2/notifications"):
		refuse(w, http.StatusNotFound, "NotFound", "The requested URL was not found on the server.")
	case r.Method == http.MethodPost && (path == "/email" || path == "/sms" || path == "/letter"):
		s.send(w, r, path[1:])
	case r.Method == http.MethodGet && path == "":
		s.list(w, r)
	case r.Method == http.MethodGet:
		s.one(w, strings.TrimPrefix(path, "/"))
	default:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "The method is not allowed for the requested URL.")
	}
}

// authorise checks the JWT as Notify does: HS256, iss, and iat within 30 seconds.
func (s *Server) authorise(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return "Unauthorized: authentication token must be provided"
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "Invalid token: not a JWT"
	}
	enc := base64.RawURLEncoding
	head, err1 := enc.DecodeString(parts[0])
	body, err2 := enc.DecodeString(parts[1])
	sig, err3 := enc.DecodeString(parts[2])
	var h struct{ Typ, Alg string }
	var c struct {
		Iss string `json:"iss"`
		Iat *int64 `json:"iat"`
	}
	if err1 != nil || err2 != nil || err3 != nil || json.Unmarshal(head, &h) != nil || json.Unmarshal(body, &c) != nil {
		return "Invalid token: not a JWT"
	}
	if h.Alg != "HS256" {
		return "Invalid token: algorithm used is not HS256"
	}
	if c.Iss == "" {
		return "Invalid token: iss field not provided"
	}
	if c.Iss != s.ServiceID {
		return "Invalid token: service not found"
	}
	m := hmac.New(sha256.New, []byte(s.Secret))
	m.Write([]byte(parts[0] + "." + parts[1]))
	if !hmac.Equal(m.Sum(nil), sig) {
		return "Invalid token: API key not found"
	}
	if c.Iat == nil {
		return "Invalid token: iat field not provided"
	}
	if off := s.Now().Unix() - *c.Iat; off > 30 || off < -30 {
		return "Error: Your system clock must be accurate to within 30 seconds"
	}
	return ""
}

type order struct {
	Email           string         `json:"email_address"`
	Phone           string         `json:"phone_number"`
	Template        string         `json:"template_id"`
	Reference       string         `json:"reference"`
	ReplyTo         string         `json:"email_reply_to_id"`
	SMSSender       string         `json:"sms_sender_id"`
	Unsubscribe     string         `json:"one_click_unsubscribe_url"`
	Personalisation map[string]any `json:"personalisation"`
}

var (
	uuid  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	phone = regexp.MustCompile(`^\+?[0-9 ()-]{10,20}$`)
	field = regexp.MustCompile(`\(\(([^()?]+)(\?\?[^)]*)?\)\)`)
)

func (s *Server) send(w http.ResponseWriter, r *http.Request, typ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if len(s.fail) > 0 {
		status := s.fail[0]
		s.fail = s.fail[1:]
		name, msg := "Exception", "Internal server error"
		switch status {
		case http.StatusTooManyRequests:
			name, msg = "RateLimitError", "Exceeded rate limit for key type LIVE of 3000 requests per 60 seconds"
		case http.StatusBadRequest:
			name, msg = "BadRequestError", "Can't send to this recipient using a team-only API key"
		case http.StatusForbidden:
			name, msg = "AuthError", "Invalid token: API key not found"
		}
		refuse(w, status, name, msg)
		return
	}
	var o order
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields() // Notify: "Additional properties are not allowed"
	if err := dec.Decode(&o); err != nil {
		refuse(w, http.StatusBadRequest, "ValidationError", err.Error())
		return
	}
	n := &Notification{ID: newUUID(), Reference: o.Reference, Type: typ, Template: o.Template, Status: "created", Created: s.Now(), Personalisation: map[string]string{}}
	for k, v := range o.Personalisation {
		n.Personalisation[k] = fmt.Sprint(v)
	}
	if msg := s.check(n, o, typ); msg != "" {
		name := "BadRequestError"
		if strings.HasPrefix(msg, "template_id ") || strings.Contains(msg, " address") || strings.Contains(msg, "phone") {
			name = "ValidationError"
		}
		refuse(w, http.StatusBadRequest, name, msg)
		return
	}
	if err := s.keep(line{Took: n}); err != nil {
		refuse(w, http.StatusInternalServerError, "Exception", "Internal server error")
		return
	}
	s.got = append(s.got, n)
	if s.drop > 0 {
		s.drop--
		panic(http.ErrAbortHandler)
	}
	content := map[string]any{"body": n.Body}
	switch typ {
	case "email":
		content["subject"], content["from_email"] = n.Subject, "test@notifications.service.gov.uk"
	case "sms":
		content["from_number"] = "GOVUK"
	case "letter":
		content["subject"] = n.Subject
	}
	answer(w, http.StatusCreated, map[string]any{
		"id": n.ID, "reference": orNull(n.Reference), "content": content, "scheduled_for": nil,
		"uri":      "https://api.notifications.service.gov.uk/v2/notifications/" + n.ID,
		"template": templateRef(o.Template, s.ServiceID),
	})
}

// check fills in n and returns what Notify would say is wrong.
func (s *Server) check(n *Notification, o order, typ string) string {
	if !uuid.MatchString(o.Template) {
		return "template_id is not a valid UUID"
	}
	t, known := s.Templates[o.Template]
	if len(s.Templates) > 0 && !known {
		return "Template not found"
	}
	if known && t.Type != typ {
		return t.Type + " template is not suitable for " + typ + " notification"
	}
	switch typ {
	case "email":
		n.To = o.Email
		if a, err := mail.ParseAddress(o.Email); err != nil || a.Address != o.Email {
			return "email_address Not a valid email address"
		}
	case "sms":
		n.To = o.Phone
		if !phone.MatchString(o.Phone) {
			return "phone_number Not enough digits"
		}
	case "letter":
		var lines []string
		for i := 1; i <= 7; i++ {
			if l := n.Personalisation["address_line_"+strconv.Itoa(i)]; l != "" {
				lines = append(lines, l)
			}
		}
		if len(lines) < 3 {
			return "Address must be at least 3 lines"
		}
		n.To = strings.Join(lines, "\n")
	}
	var missing []string
	put := func(m string) string {
		name := strings.TrimSpace(field.FindStringSubmatch(m)[1])
		v, ok := n.Personalisation[name]
		if !ok && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
		return v
	}
	n.Subject, n.Body = field.ReplaceAllStringFunc(t.Subject, put), field.ReplaceAllStringFunc(t.Body, put)
	if len(missing) > 0 {
		return "Missing personalisation: " + strings.Join(missing, ", ")
	}
	return ""
}

func (s *Server) one(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if !uuid.MatchString(id) {
		refuse(w, http.StatusBadRequest, "ValidationError", "id is not a valid UUID")
		return
	}
	n := s.find(id)
	if n == nil {
		refuse(w, http.StatusNotFound, "NoResultFound", "No result found")
		return
	}
	answer(w, http.StatusOK, s.shape(n))
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	q := r.URL.Query()
	all := []any{}
	for _, n := range slices.Backward(s.got) {
		if ref := q.Get("reference"); ref != "" && ref != n.Reference {
			continue
		}
		if typ := q["template_type"]; len(typ) > 0 && !slices.Contains(typ, n.Type) {
			continue
		}
		if st := q["status"]; len(st) > 0 && !slices.Contains(st, n.Status) {
			continue
		}
		if len(all) < 250 {
			all = append(all, s.shape(n))
		}
	}
	answer(w, http.StatusOK, map[string]any{"notifications": all, "links": map[string]any{"current": "https://api.notifications.service.gov.uk/v2/notifications?" + q.Encode()}})
}

func (s *Server) shape(n *Notification) map[string]any {
	m := map[string]any{
		"id": n.ID, "reference": orNull(n.Reference), "type": n.Type, "status": n.Status,
		"email_address": nil, "phone_number": nil, "line_1": nil, "line_2": nil, "line_3": nil, "line_4": nil, "line_5": nil, "line_6": nil, "postcode": nil,
		"template": templateRef(n.Template, s.ServiceID), "body": n.Body, "subject": orNull(n.Subject), "created_by_name": nil,
		"created_at": stamp(n.Created), "sent_at": nil, "completed_at": nil, "scheduled_for": nil, "one_click_unsubscribe_url": nil,
	}
	if !n.Completed.IsZero() {
		m["sent_at"], m["completed_at"] = stamp(n.Created), stamp(n.Completed)
	}
	switch n.Type {
	case "email":
		m["email_address"] = n.To
	case "sms":
		m["phone_number"] = n.To
	case "letter":
		for i, l := range strings.Split(n.To, "\n") {
			m["line_"+strconv.Itoa(i+1)] = l
		}
	}
	return m
}

func templateRef(id, service string) map[string]any {
	return map[string]any{"id": id, "version": 1, "uri": "https://api.notifications.service.gov.uk/services/" + service + "/templates/" + id}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func refuse(w http.ResponseWriter, status int, name, msg string) {
	answer(w, status, map[string]any{"status_code": status, "errors": []map[string]string{{"error": name, "message": msg}}})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

func newUUID() string {
	b := make([]byte, 16)
	rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
