package openapi

import (
	"net/http"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// Publisher serves the document and the schemas of the set in force.
type Publisher struct {
	Defs    *def.Live
	Body    string // the body's name
	BaseURL string
}

// Mount adds the routes. They are public: a schema says what may be told, and
// nothing about anybody.
func (p *Publisher) Mount(m *web.Mux) {
	m.Handle("GET /openapi.json", "public.api", func(w http.ResponseWriter, r *http.Request) error {
		return web.JSON(w, http.StatusOK, Document(p.Defs.Set(), p.Body, p.BaseURL))
	})
	m.Handle("GET /v1/schemas/{type}", "public.api", p.schema)
}

func (p *Publisher) schema(w http.ResponseWriter, r *http.Request) error {
	set := p.Defs.Set()
	t, ok := def.Get[contract.Spec](set, r.PathValue("type"))
	if !ok {
		return reeve.E(reeve.NotFound, "openapi.schema", "there is no record type of this name: /openapi.json lists them")
	}
	b, err := set.File(t.Spec.Schema)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/schema+json")
	_, err = w.Write(b)
	return err
}
