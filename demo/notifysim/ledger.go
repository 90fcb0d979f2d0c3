package notifysim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// line is one line of the file in which a server keeps what it was given: the
// service it plays, a notification taken, or a status that one came to have.
type line struct {
	Service *service      `json:"service,omitempty"`
	Took    *Notification `json:"took,omitempty"`
	Status  *status       `json:"status,omitempty"`
}

type service struct{ ID, Secret string }

type status struct {
	ID, Status string
	At         time.Time
}

// Open returns a server that keeps what it was given in dir, in a file that is
// only ever appended to: started again on it, it is the same service with the same
// key and knows every notification. The folder is made where it is missing.
func Open(dir string, now func() time.Time) (*Server, error) {
	s := New(now)
	if err := s.load(dir); err != nil {
		return nil, fmt.Errorf("notifysim.Open: %w", err)
	}
	return s, nil
}

func (s *Server) load(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, "ledger.ndjson")
	raw, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	known := false
	sc := bufio.NewScanner(bytes.NewReader(raw))
	sc.Buffer(nil, 4<<20)
	for sc.Scan() {
		var in line
		if json.Unmarshal(sc.Bytes(), &in) != nil {
			continue // the last line of a server that was killed
		}
		switch {
		case in.Service != nil:
			s.ServiceID, s.Secret, known = in.Service.ID, in.Service.Secret, true
		case in.Took != nil:
			s.got = append(s.got, in.Took)
		case in.Status != nil:
			if n := s.find(in.Status.ID); n != nil {
				n.Status, n.Completed = in.Status.Status, in.Status.At
			}
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	if n := len(raw); n > 0 && raw[n-1] != '\n' {
		if _, err := s.file.WriteString("\n"); err != nil {
			return err
		}
	}
	if known {
		return nil
	}
	return s.keep(line{Service: &service{s.ServiceID, s.Secret}})
}

// keep appends a line, where there is a file.
func (s *Server) keep(in line) error {
	if s.file == nil {
		return nil
	}
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, err = s.file.Write(append(b, '\n'))
	return err
}

// Close closes the file, where there is one.
func (s *Server) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
