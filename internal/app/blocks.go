package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/data"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/exchange"
	"github.com/reeve-civic/reeve/internal/exchange/delivery"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/identity"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/portal"
	"github.com/reeve-civic/reeve/internal/services"
	"github.com/reeve-civic/reeve/internal/services/notify"
)

// blocks are the blocks of the house, opened in the order of their questions.
type blocks struct {
	identity *identity.Identity
	services *services.Services
	exchange *exchange.Exchange
	estate   *estate.Estate
	data     *data.Data
}

func (a *App) openBlocks(ctx context.Context) (err error) {
	b, k := &a.blocks, a.k
	if b.identity, err = identity.Open(ctx, k, identity.Config{Zone: k.Zone, SourceName: a.organisationName}); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	asks := services.Asks{People: b.identity.People, Staff: b.identity.Staff, Zone: k.Zone, SourceName: a.organisationName}
	if err := a.messaging(&asks); err != nil {
		return err
	}
	if b.services, err = services.Open(ctx, k, asks); err != nil {
		return fmt.Errorf("services: %w", err)
	}
	receivers := map[string]delivery.Receiver{}
	for name, r := range b.services.Receivers() {
		receivers[name] = r
	}
	if b.exchange, err = exchange.Open(ctx, k, exchange.Asks{Receivers: receivers, Address: outbound, Received: a.received, Delivered: a.metrics.delivered, Editor: flowEditor{a}, Corrected: a.metrics.corrected, Staff: a.staffName, MapWorker: a.config.MapWorker}); err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	if err := a.openEstate(ctx); err != nil {
		return fmt.Errorf("estate: %w", err)
	}
	if b.data, err = data.Open(ctx, k); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	portal.Open(k, portal.Asks{Name: a.definitionName, Today: a.today(), Offers: a.offers, Partner: a.partnerView})
	return nil
}

// messaging sets up how messages leave: GOV.UK Notify, a mail server, or neither.
func (a *App) messaging(asks *services.Asks) (err error) {
	c := &a.config
	if c.Notify.URL != "" {
		key, err := c.secret("notify.key", c.Notify.Key)
		if err != nil {
			return err
		}
		asks.Notify = &notify.GOVUKOptions{BaseURL: c.Notify.URL, APIKey: key}
	}
	if c.SMTP.Address != "" {
		host, port, err := net.SplitHostPort(c.SMTP.Address)
		if err != nil {
			return reeve.E(reeve.Invalid, "app.Config", "smtp.address: %q is not host:port", c.SMTP.Address)
		}
		password, err := c.secret("smtp.password", c.SMTP.Password)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			return reeve.E(reeve.Invalid, "app.Config", "smtp.address: %q is not a port", port)
		}
		asks.SMTP = &notify.SMTPOptions{Host: host, Port: n, From: c.SMTP.From, User: c.SMTP.User, Password: password, Plain: c.SMTP.Plain}
	}
	asks.Callback, err = c.secret("notify.callback_token", c.Notify.CallbackToken)
	return err
}

// actorName is what the header of a page calls whoever is signed in.
func (a *App) actorName(ctx context.Context, actor reeve.Actor) string {
	if actor.Kind == reeve.Partner {
		return a.organisationName(actor.Party)
	}
	if a.blocks.identity == nil {
		return actor.ID
	}
	return a.blocks.identity.ActorName(ctx, actor)
}

// staffName is what pages call a member of staff, by id.
func (a *App) staffName(id string) string {
	return a.actorName(context.Background(), reeve.Actor{ID: id, Kind: reeve.Staff})
}

// organisationName is the name of an organisation for pages, or its id.
func (a *App) organisationName(id string) string {
	if a.k.Defs != nil {
		if o, ok := def.Get[organisation.Spec](a.k.Defs.Set(), id); ok {
			return o.Name
		}
	}
	return id
}

// systemOf is the system from which an organisation sends a type, by its
// interfaces; "" when nothing says so.
func (a *App) systemOf(org string, t reeve.RecordType) string {
	set := a.k.Defs.Set()
	for _, i := range def.All[iface.Spec](set) {
		if s, ok := def.Get[system.Spec](set, i.Spec.System); ok && s.Spec.Organisation == org && slices.Contains(i.Spec.Records, string(t)) {
			return s.ID
		}
	}
	return ""
}

func (a *App) typeName(t reeve.RecordType) string {
	if o, ok := a.k.Defs.Set().Lookup("RecordType", string(t)); ok {
		return o.Name
	}
	return string(t)
}

// Journal returns every entry, for tests and stories.
func (a *App) Journal(ctx context.Context) ([]journal.Entry, error) {
	size, err := a.k.Journal.Size(ctx)
	if err != nil {
		return nil, err
	}
	return a.k.Journal.Read(ctx, 0, int(size))
}

// received counts records under the name that their type has now.
func (a *App) received(t reeve.RecordType, c intake.Counts) {
	if o, ok := a.k.Defs.Set().Lookup("RecordType", string(t)); ok {
		a.metrics.received(o.ID, c)
	}
}

// collectBlocks adds the blocks' figures to a scrape.
func (a *App) collectBlocks(ctx context.Context, send func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string)) {
	stats, err := a.blocks.exchange.Flows.Volumes(ctx)
	if err == nil {
		for _, s := range stats {
			send(descFlow, prometheus.GaugeValue, float64(s.Delivered), s.Flow, "delivered")
			send(descFlow, prometheus.GaugeValue, float64(s.Waiting), s.Flow, "waiting")
			send(descFlow, prometheus.GaugeValue, float64(s.Parked), s.Flow, "parked")
			send(descFlow, prometheus.GaugeValue, float64(s.Uncertain), s.Flow, "uncertain")
			send(descLag, prometheus.GaugeValue, float64(s.Lag), s.Flow)
		}
	}
	if counts, err := a.blocks.exchange.Quarantine.Counts(ctx, ""); err == nil {
		held := map[reeve.RecordType]int{}
		for _, o := range a.k.Defs.Set().Objects() {
			if o.Kind == "RecordType" {
				held[reeve.RecordType(o.ID)] = 0
			}
		}
		for _, c := range counts {
			held[c.Type] += c.Held
		}
		for t, n := range held {
			send(descHeld, prometheus.GaugeValue, float64(n), string(t))
		}
	}
}

// Operator is the operator of this very program.
func (a *App) Operator() *Operator {
	return &Operator{do: inProcess(a.operator()), close: func() error { return nil }}
}

// The requests and answers of the operator's operations.
type (
	CreateToken struct {
		Party, Label string
		Seconds      int64 // how long it lasts
	}
	NewToken struct {
		ID, Token string
		Expires   time.Time
	}
	Token struct {
		ID, Party, Label, State string
		Expires                 time.Time
	}
	RevokeToken struct{ ID string }
	InviteStaff struct {
		Email, Name string
		Roles       []string
	}
	Invitation struct {
		Link    string
		Expires time.Time
	}
)

// operatorID is how the journal names whoever may write the data folder.
const operatorID = "operator"

// operator answers the operations.
func (a *App) operator() http.Handler {
	tokens, staff := a.blocks.identity.Tokens, a.blocks.identity.Staff
	mux := http.NewServeMux()
	mux.Handle("POST /token/create", operation(func(ctx context.Context, in CreateToken) (NewToken, error) {
		if _, ok := def.Get[organisation.Spec](a.k.Defs.Set(), in.Party); !ok {
			return NewToken{}, reeve.E(reeve.NotFound, "token/create", "there is no Organisation %q in the definitions", in.Party)
		}
		secret, t, err := tokens.Create(ctx, operatorID, in.Party, in.Label, nil, a.k.Now().Add(time.Duration(in.Seconds)*time.Second))
		return NewToken{t.ID, secret, t.Expires}, err
	}))
	mux.Handle("POST /token/list", operation(func(ctx context.Context, _ struct{}) (out []Token, err error) {
		ts, err := tokens.List(ctx)
		for _, t := range ts {
			state := "works"
			switch {
			case !t.Revoked.IsZero():
				state = "revoked"
			case !t.Live(a.k.Now()):
				state = "ended"
			}
			out = append(out, Token{t.ID, t.Party, t.Label, state, t.Expires})
		}
		return out, err
	}))
	mux.Handle("POST /token/revoke", operation(func(ctx context.Context, in RevokeToken) (struct{}, error) {
		return struct{}{}, tokens.Revoke(ctx, operatorID, in.ID)
	}))
	mux.Handle("POST /staff/invite", operation(func(ctx context.Context, in InviteStaff) (Invitation, error) {
		path, _, err := staff.Invite(ctx, operatorID, in.Email, in.Name, in.Roles)
		return Invitation{a.k.BaseURL + path, a.k.Now().Add(24 * time.Hour)}, err
	}))
	mux.Handle("POST /import", operation(a.importList))
	mux.Handle("POST /flow/rehearse", operation(a.rehearse))
	a.replays(mux)
	mux.HandleFunc("POST /backup", a.backup)
	return mux
}
