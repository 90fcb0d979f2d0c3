// Package demo is Ashcombe Borough Council: a body that does not exist, to try
// Reeve with. It holds the body's definitions (folder body), its input (package
// data), its simulated systems (package sim), and the feeder that sends the input
// through the public API, as the real senders would.
//
// Nothing here knows how Reeve works inside: the feeder uses the Go client and
// partner tokens, and the systems speak HTTP and read files.
package demo

import (
	"embed"
	"io/fs"
)

//go:embed all:body
var body embed.FS

// Body is the folder of definitions.
func Body() fs.FS {
	sub, err := fs.Sub(body, "body")
	if err != nil {
		panic(err) // the name is fixed when the program is built
	}
	return sub
}
