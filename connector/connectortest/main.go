package connectortest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package, and fails where they leave a goroutine behind. Call
// it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	leak := goleak.Find()
	for tries := 0; leak != nil && tries < 100; tries++ { // what was told to end may need a moment for it
		leak = goleak.Find()
	}
	if leak != nil && code == 0 {
		fmt.Fprintln(os.Stderr, leak)
		code = 1
	}
	os.Exit(code)
}
