package feed

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/reeve-civic/reeve"
)

// A fault of ours on a file that was sent in a page does not end the program.
func TestPanicOverAFileThatWasSent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "reeve-upload-1")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &Desk{o: Options{Slog: slog.New(slog.DiscardHandler)}} // it has nowhere to note that the file is being taken
	if err := d.receiveUpload(t.Context(), uploaded{id: "file-1", file: file}); reeve.KindOf(err) != reeve.Fault {
		t.Error(err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Error("the file stays on the disk:", err)
	}
}
