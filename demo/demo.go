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
	"path/filepath"
)

//go:embed all:body
var body embed.FS

//go:embed data/estate
var lists embed.FS

// Lists are what the body's other programs list about its estate (devices, people,
// the ledger), in the order in which they are taken in. Each is told apart by what
// is in it.
func Lists() (folder fs.FS, names []string) {
	sub, err := fs.Sub(lists, "data/estate")
	if err != nil {
		panic(err) // the name is fixed when the program is built
	}
	return sub, []string{"people.csv", "register.csv", "devices.csv", "seats.csv", "software.csv", "ledger.csv", "measures.csv", "evidence.csv", "known_exploited_vulnerabilities.json", "endoflife.json"}
}

// Body is the folder of definitions.
func Body() fs.FS {
	sub, err := fs.Sub(body, "body")
	if err != nil {
		panic(err) // the name is fixed when the program is built
	}
	return sub
}

// Unpack writes the definitions into the folder body of dir, and the lists into the
// folder lists, so that they can be looked at and changed; what is there already
// stays as it is. A folder appears whole or not at all.
func Unpack(dir string) (definitions, imports string, err error) {
	lists, _ := Lists()
	definitions, imports = filepath.Join(dir, "body"), filepath.Join(dir, "lists")
	return definitions, imports, errors.Join(unpack(definitions, Body()), unpack(imports, lists))
}

func unpack(dir string, from fs.FS) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.CopyFS(part, from); err != nil {
		return err
	}
	return os.Rename(part, dir)
}
