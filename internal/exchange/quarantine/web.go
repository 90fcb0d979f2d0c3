package quarantine

import "github.com/reeve-civic/reeve/internal/kernel/web"

// Mount adds the pages of the quarantine.
func (w *Ward) Mount(m *web.Mux) {}
