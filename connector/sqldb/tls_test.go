package sqldb

import (
	"net/url"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// TestTLS: a connection is encrypted where an authority is named, and only to a server
// that can show a certificate of it.
func TestTLS(t *testing.T) {
	encrypted := map[engine]string{
		postgres: "select ssl::text as yes from pg_stat_ssl where pid = pg_backend_pid()",
		mariadb:  "select if(variable_value <> '', 'true', 'false') as yes from information_schema.session_status where variable_name = 'Ssl_cipher'",
	}
	for _, e := range []engine{postgres, mariadb} {
		t.Run(string(e), func(t *testing.T) {
			authority := ""
			r := &rig{engine: e, user: "root"}
			if e == mariadb {
				m := storetest.Maria(t)
				r.address, authority = "mariadb://"+m.Addr+"/"+m.Database, string(m.Authority)
			} else {
				c := storetest.Private(t, false)
				b, err := c.Encrypt()
				if err != nil {
					t.Fatal(err)
				}
				u, err := url.Parse(c.URL("postgres"))
				if err != nil {
					t.Fatal(err)
				}
				r.address, authority, r.user = "postgres://"+u.Host+u.Path, string(b), u.User.Username()
			}
			t.Setenv("DB_AUTHORITY", authority)
			s := Settings{Query: encrypted[e]}
			c := r.config(s)
			if got, _ := bodies(t, r.sourceOf(t, c), ""); got[0] != `{"yes":"false"}` {
				t.Errorf("on this machine: %s", got)
			}
			c.Auth.Authority = "env:DB_AUTHORITY"
			if got, _ := bodies(t, r.sourceOf(t, c), ""); got[0] != `{"yes":"true"}` {
				t.Errorf("with an authority: %s", got)
			}
			s.TLS = "verify"
			if err := readError(t, r.source(t, s)); !strings.Contains(err.Error(), "authority that is not known") {
				t.Error(err)
			}
			s.TLS = "off"
			c = r.config(s)
			c.Auth = connector.Auth{User: r.user, Authority: "env:DB_AUTHORITY"}
			if got, _ := bodies(t, r.sourceOf(t, c), ""); got[0] != `{"yes":"false"}` {
				t.Errorf("off: %s", got)
			}
		})
	}
	t.Run("a server that does not encrypt", func(t *testing.T) {
		if err := readError(t, newRig(t, postgres).source(t, Settings{Query: "select 1 as one", TLS: "verify"})); !strings.Contains(err.Error(), "does not encrypt") {
			t.Error(err)
		}
	})
}
