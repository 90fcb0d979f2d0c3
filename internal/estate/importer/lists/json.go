package lists

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
)

// maxBytes bounds a file of JSON or XML.
const maxBytes = 256 << 20

// maxItems bounds what one file may hold.
const maxItems = inventory.MaxItems

// bounded stops a reader that gives more than it should.
type bounded struct {
	r    io.Reader
	left int64
	name string
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, reeve.E(reeve.TooLarge, "import", "%s is larger than %d MB: split it", b.name, maxBytes>>20)
	}
	return n, err
}

// text is a reader of what a program wrote, in UTF-8 whatever it was in.
func text(in importer.Input) io.Reader {
	return transform.NewReader(&bounded{in.Reader, maxBytes, in.Name}, unicode.BOMOverride(transform.Nop))
}

// broken says that a file cannot be read on.
func broken(name string, err error) error {
	var known *reeve.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("it ends in the middle")
	}
	return reeve.E(reeve.Invalid, "import", "%s is not whole JSON: %w", name, err)
}

// stream hands over the members of the array that stands under one of the keys
// of the outermost object, or is outermost itself; deeper keys follow a slash:
// "result/releases". An object under a key in single is handed over as one.
func stream[T any](in importer.Input, keys []string, fn func(n int, key string, x T) error) (found bool, err error) {
	d := json.NewDecoder(text(in))
	n := 0
	var walk func(path string) error
	members := func(path string) error {
		found = true
		for d.More() {
			if n++; n > maxItems {
				return reeve.E(reeve.TooLarge, "import", "%s has more than %d items: split it", in.Name, maxItems)
			}
			var x T
			if err := d.Decode(&x); err != nil {
				var wrong *json.UnmarshalTypeError
				if !errors.As(err, &wrong) {
					return err
				}
				if err := fn(n, path, *new(T)); err != nil { // told as a row without what it needs
					return err
				}
				continue
			}
			if err := fn(n, path, x); err != nil {
				return err
			}
		}
		_, err := d.Token()
		return err
	}
	walk = func(path string) error {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		switch tok {
		case json.Delim('['):
			if wanted(keys, path) {
				return members(path)
			}
			for d.More() {
				var skip json.RawMessage
				if err := d.Decode(&skip); err != nil {
					return err
				}
			}
			_, err = d.Token()
			return err
		case json.Delim('{'):
			for d.More() {
				key, err := d.Token()
				if err != nil {
					return err
				}
				next := strings.TrimPrefix(path+"/"+fmt.Sprint(key), "/")
				if !leads(keys, next) {
					var skip json.RawMessage
					if err := d.Decode(&skip); err != nil {
						return err
					}
					continue
				}
				if err := walk(next); err != nil {
					return err
				}
			}
			_, err = d.Token()
			return err
		}
		return nil
	}
	if err := walk(""); err != nil {
		return found, broken(in.Name, err)
	}
	return found, nil
}

func wanted(keys []string, path string) bool {
	for _, k := range keys {
		if k == path {
			return true
		}
	}
	return false
}

func leads(keys []string, path string) bool {
	for _, k := range keys {
		if k == path || strings.HasPrefix(k, path+"/") {
			return true
		}
	}
	return false
}

func newReading(source, unit, keeper string, whole bool, in importer.Input) *reading {
	r := &reading{Reading: &importer.Reading{Source: source, File: in.Name, Unit: unit}, in: in}
	r.list(keeper, whole)
	return r
}

// done gives the reading, or says that the file is something else.
func (r *reading) done(found bool, err error, what string) (*importer.Reading, error) {
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, reeve.E(reeve.Invalid, "import", "%s is not %s", r.in.Name, what)
	}
	r.Sort()
	r.careful()
	return r.Reading, nil
}

func looksLike(head []byte, words ...string) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(head) == 0 || head[0] != '{' && head[0] != '[' {
		return false
	}
	for _, w := range words {
		if !bytes.Contains(head, []byte(`"`+w+`"`)) {
			return false
		}
	}
	return true
}

// kevEntry is a vulnerability as CISA publishes it.
type kevEntry struct {
	CVE        string `json:"cveID"`
	Vendor     string `json:"vendorProject"`
	Product    string `json:"product"`
	Name       string `json:"vulnerabilityName"`
	Added      string `json:"dateAdded"`
	Due        string `json:"dueDate"`
	Ransomware string `json:"knownRansomwareCampaignUse"`
}

func kevColumns() *sheet.Vocabulary {
	return &sheet.Vocabulary{Of: "vulnerability", Key: "cveID", Meanings: sheet.Means([][3]string{
		{"cveID", "|cve id|cve|cveid|", ""}, {"vendorProject", "|vendor project|vendor|", ""}, {"product", "|product|", ""}, {"vulnerabilityName", "|vulnerability name|name|", ""},
		{"dateAdded", "|date added|", ""}, {"dueDate", "|due date|", ""}, {"knownRansomwareCampaignUse", "|known ransomware campaign use|", ""},
	})}
}

func detectKEV(head []byte, _ string) bool {
	return looksLike(head, "cveID", "vendorProject") || bytes.HasPrefix(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), []byte("cveID,")) || bytes.HasPrefix(head, []byte(`"cveID"`))
}

func readKEV(_ context.Context, in importer.Input) (*importer.Reading, error) {
	head := make([]byte, 512)
	n, _ := io.ReadFull(in.Reader, head) // a short file is all there is of it
	in.Reader = io.MultiReader(bytes.NewReader(head[:n]), in.Reader)
	r := newReading("kev", "vulnerability", "CISA KEV", true, in)
	if looksLike(head[:n]) {
		found, err := stream(in, []string{"vulnerabilities"}, func(n int, _ string, v kevEntry) error {
			r.Rows++
			r.kev(n, v)
			return nil
		})
		return r.done(found, err, "the catalogue of known exploited vulnerabilities: it has no list of vulnerabilities")
	}
	open, lines, err := importer.Open(kevColumns(), in)
	if err != nil {
		return nil, err
	}
	open.Source, open.Unit, open.List = r.Source, r.Unit, r.List
	r.Reading = open
	open.Each(lines, in.Progress, func(l *sheet.Line) bool {
		taken := r.Taken
		r.kev(l.N, kevEntry{l.Get("cveID"), l.Get("vendorProject"), l.Get("product"), l.Get("vulnerabilityName"), l.Get("dateAdded"), l.Get("dueDate"), l.Get("knownRansomwareCampaignUse")})
		now := r.Taken > taken
		r.Taken = taken // counted by Each
		return now
	})
	return open, nil
}

func (r *reading) kev(n int, v kevEntry) {
	added, ok1 := dayOf(v.Added)
	due, ok2 := dayOf(v.Due)
	switch {
	case v.CVE == "":
		r.Fail(n, "cveID", "there is no CVE number")
	case !ok1 || added.IsZero():
		r.Fail(n, "dateAdded", "%s has no day on which it was added, written like 2026-01-31", v.CVE)
	case !ok2:
		r.Fail(n, "dueDate", "%s is due on %q, which is not a day", v.CVE, v.Due)
	default:
		r.Taken++
		r.add(inventory.Vulnerability{CVE: sheet.Clean(v.CVE), Vendor: sheet.Clean(v.Vendor), Product: sheet.Clean(v.Product), Name: sheet.Clean(v.Name), Added: added, Due: due, Ransomware: strings.EqualFold(v.Ransomware, "Known")})
	}
}

// graphDevice is a device as Microsoft Graph gives it.
type graphDevice struct {
	ID           string `json:"id"`
	Name         string `json:"deviceName"`
	Serial       string `json:"serialNumber"`
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	OS           string `json:"operatingSystem"`
	OSVersion    string `json:"osVersion"`
	LastSync     string `json:"lastSyncDateTime"`
	Compliance   string `json:"complianceState"`
	Encrypted    *bool  `json:"isEncrypted"`
	UPN          string `json:"userPrincipalName"`
	Email        string `json:"emailAddress"`
	Chassis      string `json:"chassisType"`
	DeviceType   string `json:"deviceType"`
}

func detectGraph(head []byte, _ string) bool {
	return looksLike(head, "deviceName") && (looksLike(head, "lastSyncDateTime") || looksLike(head, "operatingSystem"))
}

func readGraph(_ context.Context, in importer.Input) (*importer.Reading, error) {
	r := newReading("graph-devices", "device", "Intune", true, in)
	found, err := stream(in, []string{"", "value"}, func(n int, _ string, d graphDevice) error {
		r.Rows++
		if d.ID == "" {
			r.Fail(n, "id", "the device has no id")
			return nil
		}
		a := inventory.Asset{ID: d.ID, Name: d.Name, Serial: d.Serial, Maker: d.Manufacturer, Model: d.Model, OS: d.OS, OSVersion: d.OSVersion, Encrypted: d.Encrypted, Holder: personKey(first(d.UPN, d.Email))}
		if a.Type = first(assetType(d.Chassis), assetType(d.DeviceType)); a.Type == "" {
			a.Type = guessType(a)
		}
		var ok bool
		if a.LastSeen, ok = dayOf(d.LastSync); !ok {
			r.Problem(n, "lastSyncDateTime", "%q is not a time; it was not used", d.LastSync)
		}
		switch d.Compliance {
		case "compliant":
			a.Compliant = yes()
		case "noncompliant", "conflict", "error":
			a.Compliant = new(bool)
		}
		r.Taken++
		r.add(a)
		return nil
	})
	return r.done(found, err, "a list of devices as Microsoft Graph gives it")
}

// fleetHost is a host as Fleet gives it.
type fleetHost struct {
	ID        int64  `json:"id"`
	UUID      string `json:"uuid"`
	Hostname  string `json:"hostname"`
	Display   string `json:"display_name"`
	Platform  string `json:"platform"`
	OSVersion string `json:"os_version"`
	Seen      string `json:"seen_time"`
	Vendor    string `json:"hardware_vendor"`
	Model     string `json:"hardware_model"`
	Serial    string `json:"hardware_serial"`
	Encrypted *bool  `json:"disk_encryption_enabled"`
	Mapping   []struct {
		Email string `json:"email"`
	} `json:"device_mapping"`
	Software []struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		Vendor  string `json:"vendor"`
		CPE     string `json:"generated_cpe"`
	} `json:"software"`
}

func detectFleet(head []byte, _ string) bool {
	return looksLike(head, "hosts", "osquery_version") || looksLike(head, "hosts", "hardware_serial")
}

func readFleet(_ context.Context, in importer.Input) (*importer.Reading, error) {
	r := newReading("fleet-hosts", "host", "Fleet", true, in)
	found, err := stream(in, []string{"", "hosts"}, func(n int, _ string, h fleetHost) error {
		r.Rows++
		id := h.UUID
		if id == "" && h.ID != 0 {
			id = "fleet-" + strconv.FormatInt(h.ID, 10)
		}
		if id == "" {
			r.Fail(n, "uuid", "the host has neither uuid nor id")
			return nil
		}
		a := inventory.Asset{ID: id, Name: first(h.Display, h.Hostname), Serial: h.Serial, Maker: h.Vendor, Model: h.Model, OS: h.Platform, OSVersion: h.OSVersion, Encrypted: h.Encrypted}
		if len(h.Mapping) > 0 {
			a.Holder = personKey(h.Mapping[0].Email)
		}
		a.Type = guessType(a)
		var ok bool
		if a.LastSeen, ok = dayOf(h.Seen); !ok {
			r.Problem(n, "seen_time", "%q is not a time; it was not used", h.Seen)
		}
		r.Taken++
		r.add(a)
		for _, s := range h.Software {
			if s.Name != "" {
				r.add(inventory.Software{On: id, Name: s.Name, Vendor: s.Vendor, Version: s.Version, CPE: s.CPE})
			}
		}
		return nil
	})
	return r.done(found, err, "a list of hosts as Fleet gives it")
}
