package httpjson

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/httpclient"
)

// Settings is what an Interface says about its requests, under settings.http.
type Settings struct {
	Batch   int     `json:"batch,omitempty" def:"min=0,max=128" doc:"Records of one request, as a JSON array; for systems that take many at once. With repeat: none at most eight, so that few are put at risk. Their answer is 2xx for all of them, or 207 with a list of one {status} each, in the same order. Goes with repeat: key (then batchId, too) or none."`
	BatchID string  `json:"batchId,omitempty" doc:"Field that is added to every record of a batch: the same value for the same record for ever, by which the system recognises a repeat."`
	Get     bool    `json:"get,omitempty" doc:"A step of a flow asks with GET: the record's own fields (text, numbers, true and false) become the query."`
	Next    string  `json:"next,omitempty" doc:"To read page by page: where an answer says which page comes next. link: its Link header with rel=next; fhir: the next link of a Bundle; or a JSON Pointer to a web address or, with cursor, to the value for it: /meta/next."`
	Cursor  string  `json:"cursor,omitempty" doc:"To read what is new: the query parameter that says where to go on: since."`
	From    string  `json:"from,omitempty" doc:"JSON Pointer, in a record, to the value for cursor: /updatedAt. The system gives its records in the order of it. Without it the value is where next points to."`
	Prefix  string  `json:"prefix,omitempty" doc:"What stands before the value of cursor, for systems that want a comparison: gt for FHIR's _lastUpdated."`
	First   string  `json:"first,omitempty" doc:"Value of cursor for the very first request. Default: none, everything."`
	Plain   bool    `json:"plain,omitempty" doc:"Sign in though the address is http:// and leads to another machine: only in a network that nobody else is in."`
	Webhook Webhook `json:"webhook,omitempty" doc:"That the system sends us its records, to /v1/hooks/ and the id of this interface, and how we know that it is the system."`
}

func settings(c connector.Config) Settings {
	if s, ok := c.Settings.(*Settings); ok && s != nil {
		return *s
	}
	return Settings{}
}

// Connector describes it.
var Connector = connector.Connector{
	Name: "http", Schemes: []string{"http", "https"},
	Doc: "Requests to a web address: records out as JSON, one by one or many at once; records in by asking now and then (cursor, pages, ETag) or by webhook.",
	Promise: connector.Promise{
		Order:  "Out: several requests are under way at once; records of one key go one after the other where the record type is strict. In: as the system gives them.",
		Repeat: "Out: as the interface says with repeat: an Idempotency-Key, the same address, a question first, or a person decides. In: it goes on after the last record that was taken; a page that changed meanwhile is read again from its start.",
		Ack:    "A record counts as delivered when the system answers 2xx. Nothing is told to a system that is asked.",
	},
	Settings: new(Settings),
	Check:    check,
	Sink: func(c connector.Config) (connector.Sink, error) {
		return New(c)
	},
	Source: func(c connector.Config) (connector.Source, error) {
		return NewSource(c)
	},
}

// inClear is what is wrong with an address to which credentials would go in clear.
func inClear(c connector.Config) error {
	u, err := url.Parse(c.Address)
	if err != nil || settings(c).Plain || !httpclient.SignsIn(c.Auth) || !httpclient.InClear(u) {
		return nil
	}
	return errors.New("auth would go to another machine in clear, where anybody on the way can read it: write https://, or say settings.http.plain: true if nobody else is in the network")
}

var parameter = regexp.MustCompile(`^[A-Za-z0-9_.\[\]$-]{1,100}$`)

func check(c connector.Config, problem func(path, message string)) {
	s := settings(c)
	if err := inClear(c); err != nil {
		problem("", err.Error())
	}
	httpclient.Check(c.Auth, func(path, message string) {
		problem("", strings.TrimSuffix("auth."+path, ".")+": "+message)
	})
	if s.Batch > 1 {
		switch {
		case c.Repeat == "key" && s.BatchID == "":
			problem("batch", "repeat: key with a batch needs batchId: the system recognises each record of a batch by that field")
		case c.Repeat == "put" || c.Repeat == "lookup":
			problem("batch", "a batch goes with repeat: key or none, not with "+c.Repeat)
		case strings.Contains(c.Path, "{"):
			problem("batch", "the records of a batch share one address: the path must not have {id} or {key}")
		}
	} else if s.BatchID != "" {
		problem("batchId", "batchId is for batches: give batch, too")
	}
	if s.Next != "" && s.Next != "link" && s.Next != "fhir" && s.Next[0] != '/' {
		problem("next", "write link, fhir or a JSON Pointer, which begins with /")
	}
	if s.From != "" && s.From[0] != '/' {
		problem("from", "a JSON Pointer begins with /: /updatedAt")
	}
	switch {
	case s.Cursor == "" && (s.From != "" || s.First != "" || s.Prefix != ""):
		problem("cursor", "from, first and prefix are about cursor, the query parameter that says where to go on")
	case s.Cursor != "" && s.From == "" && (s.Next == "" || s.Next == "link" || s.Next == "fhir"):
		problem("cursor", "say where its value comes from: from, a JSON Pointer in a record, or next, one in the answer")
	case s.Cursor != "" && !parameter.MatchString(s.Cursor):
		problem("cursor", "this cannot be the name of a query parameter")
	case s.From != "" && s.Next != "" && s.Next != "link" && s.Next != "fhir":
		problem("from", "the value of cursor comes from one place: from or next")
	}
	s.Webhook.check(func(path, message string) { problem("webhook."+path, message) })
}

// query reports whether a method only asks.
func query(method string) bool {
	return slices.Contains([]string{http.MethodGet, http.MethodHead}, method)
}
