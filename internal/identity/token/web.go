package token

import (
	"net/http"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// Mount adds the way to tell a partner's program by its token. Other bearer
// tokens are left to others: ours begin with [Prefix].
func (r *Register) Mount(m *web.Mux) { m.Authenticate(r.authenticate) }

func (r *Register) authenticate(req *http.Request) (a reeve.Actor, ok bool, err error) {
	scheme, secret, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(secret, Prefix) {
		return a, false, nil
	}
	t, err := r.Check(req.Context(), secret)
	if err != nil {
		return a, false, err
	}
	if typ, sends := strings.CutPrefix(req.URL.Path, "/v1/records/"); sends && req.Method == http.MethodPost && !t.May(reeve.RecordType(typ)) {
		return a, false, reeve.E(reeve.Forbidden, "identity.token", "this token is not for records of that type")
	}
	return t.actor(), true, nil
}
