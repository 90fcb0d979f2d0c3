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
	"errors"
	"io/fs"
	"os"
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

// Unpack writes the definitions into dir, so that they can be looked at and
// changed; a folder that is there already stays as it is. It appears whole or not
// at all.
func Unpack(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.CopyFS(part, Body()); err != nil {
		return err
	}
	return os.Rename(part, dir)
}
