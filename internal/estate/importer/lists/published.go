package lists

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// eolCycle is a release cycle as the first API of endoflife.date gives it.
type eolCycle struct {
	Cycle   any    `json:"cycle"` // text, or a number in older files
	Release string `json:"releaseDate"`
	EOL     any    `json:"eol"` // a day, or whether it has ended
	Latest  string `json:"latest"`
}

// eolProduct is a product as API v1 gives it.
type eolProduct struct {
	Name        string `json:"name"`
	Label       string `json:"label"`
	Identifiers []struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"identifiers"`
	Releases []struct {
		Name    string `json:"name"`
		Release string `json:"releaseDate"`
		EOLFrom string `json:"eolFrom"`
		IsEOL   *bool  `json:"isEol"`
		Latest  struct {
			Name string `json:"name"`
		} `json:"latest"`
	} `json:"releases"`
}

func detectEOL(head []byte, _ string) bool {
	return looksLike(head, "cycle", "eol") || looksLike(head, "releases", "isEol") || looksLike(head, "releases", "eolFrom")
}

// readEOL reads the answers of both APIs of endoflife.date. What a product is
// called elsewhere (its CPE) is taken too.
func readEOL(_ context.Context, in importer.Input) (*importer.Reading, error) {
	r := newReading("endoflife", "release", "endoflife.date", false, in)
	data, err := io.ReadAll(text(in))
	if err != nil {
		return nil, err
	}
	var outer struct {
		Result json.RawMessage `json:"result"`
		eolProduct
	}
	data = bytes.TrimSpace(data)
	if bytes.HasPrefix(data, []byte("[")) {
		return r.cyclesV0(data)
	}
	if err := json.Unmarshal(data, &outer); err != nil {
		return nil, broken(in.Name, err)
	}
	products := []eolProduct{outer.eolProduct}
	if outer.Result != nil {
		products = make([]eolProduct, 1)
		var err error
		if bytes.HasPrefix(outer.Result, []byte("[")) {
			err = json.Unmarshal(outer.Result, &products)
		} else {
			err = json.Unmarshal(outer.Result, &products[0])
		}
		if err != nil {
			return nil, broken(in.Name, err)
		}
	}
	for _, p := range products {
		r.product(p)
	}
	return r.done(r.Rows > 0, nil, "a product of endoflife.date: it has no releases")
}

func (r *reading) cyclesV0(data []byte) (*importer.Reading, error) {
	var cycles []eolCycle
	if err := json.Unmarshal(data, &cycles); err != nil {
		return nil, broken(r.in.Name, err)
	}
	product := first(strings.TrimSpace(r.in.Settings[Product]), bare(r.in.Name))
	if product == "" || product == "-" {
		return nil, reeve.E(reeve.Invalid, "import", "%s does not say which product it is of: name it", r.in.Name)
	}
	r.Note("The file does not name its product; it was taken for %q.", product)
	for i, c := range cycles {
		r.Rows++
		x := inventory.Cycle{Product: product, Latest: c.Latest}
		switch v := c.Cycle.(type) {
		case string:
			x.Cycle = v
		case float64:
			r.Fail(i+1, "cycle", "the cycle is a number, so 1.10 cannot be told from 1.1: fetch the file again")
			continue
		}
		if x.Cycle == "" {
			r.Fail(i+1, "cycle", "the release has no name")
			continue
		}
		until := ""
		switch v := c.EOL.(type) {
		case string:
			until = v
		case bool:
			x.Ended = &v
		}
		r.cycle(i+1, x, c.Release, until)
	}
	return r.done(r.Rows > 0, nil, "a product of endoflife.date: it has no releases")
}

func (r *reading) product(p eolProduct) {
	for _, c := range p.Releases {
		r.Rows++
		if p.Name == "" || c.Name == "" {
			r.Fail(r.Rows, "name", "the release has no name, or its product has none")
			continue
		}
		x := inventory.Cycle{Product: p.Name, Cycle: c.Name, Latest: c.Latest.Name}
		if c.EOLFrom == "" {
			x.Ended = c.IsEOL
		}
		r.cycle(r.Rows, x, c.Release, c.EOLFrom)
	}
	for _, id := range p.Identifiers {
		if id.Type != "cpe" || len(p.Releases) == 0 {
			continue
		}
		if cpe := CPE(id.ID); cpe != "" {
			r.add(inventory.Identity{Name: strings.ToLower(first(p.Label, p.Name)), CPE: cpe, EOL: p.Name})
			break
		}
	}
}

func (r *reading) cycle(n int, c inventory.Cycle, release, until string) {
	var ok bool
	if c.Release, ok = dayOf(release); !ok {
		r.Problem(n, "releaseDate", "%q is not a day; it was not used", release)
	}
	if until != "" {
		if c.End, ok = dayOf(until); !ok || c.End == (def.Date{}) {
			r.Fail(n, "eol", "%s %s ends on %q, which is not a day", c.Product, c.Cycle, until)
			return
		}
	}
	r.Taken++
	r.add(c)
}

// CPE is vendor and product of a name in the Common Platform Enumeration, both as
// "cpe:2.3:a:microsoft:sql_server:..." and as "cpe:/a:microsoft:sql_server";
// "" for what is none.
func CPE(s string) string {
	rest, ok := strings.CutPrefix(strings.ToLower(s), "cpe:2.3:")
	if !ok {
		if rest, ok = strings.CutPrefix(strings.ToLower(s), "cpe:/"); !ok {
			return ""
		}
	}
	parts := strings.Split(rest, ":")
	if len(parts) < 3 || parts[1] == "" || parts[2] == "" || parts[1] == "*" || parts[2] == "*" {
		return ""
	}
	return parts[1] + ":" + parts[2]
}

func detectBOM(head []byte, _ string) bool {
	return looksLike(head, "bomFormat") && bytes.Contains(head, []byte("CycloneDX")) ||
		bytes.Contains(head, []byte("http://cyclonedx.org/schema/bom")) && bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))), []byte("<"))
}

// maxNest is how deep the parts of a bill of materials may be inside each other.
const maxNest = 100

// readBOM reads a CycloneDX file. Entities of its own are not known to the reader
// of XML, and refused.
func readBOM(_ context.Context, in importer.Input) (*importer.Reading, error) {
	r := newReading("cyclonedx", "component", "SBOM", true, in)
	in.Reader = text(in)
	head := make([]byte, 64)
	n, _ := io.ReadFull(in.Reader, head) // a short file is all there is of it
	all := io.MultiReader(bytes.NewReader(head[:n]), in.Reader)
	format := cdx.BOMFileFormatJSON
	if bytes.HasPrefix(bytes.TrimSpace(head[:n]), []byte("<")) {
		format = cdx.BOMFileFormatXML
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(all, format).Decode(&bom); err != nil {
		if reeve.KindOf(err) != reeve.Fault {
			return nil, err
		}
		return nil, reeve.E(reeve.Invalid, "import", "%s cannot be read as CycloneDX: %w", in.Name, err)
	}
	on := strings.TrimSpace(in.Settings[Component])
	if bom.Metadata != nil && bom.Metadata.Component != nil && on == "" {
		on = bom.Metadata.Component.Name
		r.Note("It was not said which component this is of; the name in the file was taken: %q.", on)
	}
	if on == "" {
		return nil, reeve.E(reeve.Invalid, "import", "%s does not say what it is of: give the id of the component", in.Name)
	}
	r.List.Source = "SBOM of " + on
	var walk func(all *[]cdx.Component, depth int) error
	walk = func(all *[]cdx.Component, depth int) error {
		if all == nil {
			return nil
		}
		if depth > maxNest {
			return reeve.E(reeve.TooLarge, "import", "the parts in %s are more than %d deep inside each other", in.Name, maxNest)
		}
		for _, c := range *all {
			r.Rows++
			if r.Rows > maxItems {
				return reeve.E(reeve.TooLarge, "import", "%s has more than %d parts", in.Name, maxItems)
			}
			r.part(on, c)
			if err := walk(c.Components, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(bom.Components, 1); err != nil {
		return nil, err
	}
	return r.done(r.Rows > 0, nil, "a bill of materials: it lists nothing")
}

func (r *reading) part(on string, c cdx.Component) {
	if c.Type == cdx.ComponentTypeFile {
		r.Skipped++
		return
	}
	if c.Name == "" {
		r.Fail(r.Rows, "name", "the part has no name")
		return
	}
	s := inventory.Software{On: on, Name: c.Name, Vendor: first(c.Publisher, c.Group), Version: c.Version, CPE: c.CPE, PURL: c.PackageURL}
	if c.Supplier != nil && c.Supplier.Name != "" {
		s.Vendor = c.Supplier.Name
	}
	if c.Group != "" {
		s.Name = c.Group + "/" + c.Name
	}
	r.Taken++
	r.add(s)
}

// Bill reads a bill of materials in CycloneDX: what a component is made of.
func Bill(ctx context.Context, name string, content []byte, component string) (parts []inventory.Software, err error) {
	r, err := readBOM(ctx, importer.Input{Name: name, Reader: bytes.NewReader(content), Settings: map[string]string{Component: component}})
	if err != nil {
		return nil, err
	}
	for _, x := range r.Items {
		if p, ok := x.(inventory.Software); ok {
			parts = append(parts, p)
		}
	}
	return parts, nil
}
