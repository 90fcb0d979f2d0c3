package person

import "testing"

func TestCompare(t *testing.T) {
	const own = "https://ashcombe.example/id/council-tax"
	r := &rules{own: map[string]bool{own: true}}
	ann := Details{
		Name:        Name{Given: "Zoë", Family: "O'Brien-Smith"},
		DateOfBirth: "1950-03-04",
		Address:     Address{Lines: []string{"1 High Street"}, Town: "Ashcombe", Postcode: "AS1 2BC"},
		Identifiers: []Identifier{{own, "CT-1"}, {"https://fhir.nhs.uk/Id/nhs-number", "9990000001"}},
	}
	change := func(f func(d *Details)) Details {
		d := ann
		f(&d)
		return d
	}
	none := func(d *Details) { d.Identifiers = nil }
	for name, tc := range map[string]struct {
		told Details
		want Verdict
		why  string
	}{
		"the same but for spelling": {change(func(d *Details) {
			none(d)
			d.Name, d.Address = Name{Given: "ZOE", Family: "OBrien Smith"}, Address{Postcode: "as12bc"}
		}), Same, "name-birth-address"},
		"a middle name more":            {change(func(d *Details) { none(d); d.Name.Given = "Zoe Ann" }), Same, "name-birth-address"},
		"no postcode, same street":      {change(func(d *Details) { none(d); d.Address.Postcode = "" }), Same, "name-birth-address"},
		"another address":               {change(func(d *Details) { none(d); d.Address = Address{Lines: []string{"9 Low Road"}, Postcode: "AS9 9ZZ"} }), Unsure, "address-differs"},
		"no address":                    {change(func(d *Details) { none(d); d.Address = Address{} }), Unsure, "no-address-to-compare"},
		"a slip in the name":            {change(func(d *Details) { none(d); d.Name.Family = "O'Brein-Smith" }), Unsure, "name-is-similar"},
		"another family name":           {change(func(d *Details) { none(d); d.Name.Family = "Jones" }), Unsure, "name-is-similar"},
		"names swapped":                 {change(func(d *Details) { none(d); d.Name = Name{Given: "O'Brien-Smith", Family: "Zoe"} }), Unsure, "name-is-similar"},
		"a twin":                        {change(func(d *Details) { none(d); d.Name.Given = "Martha" }), Different, ""},
		"day and month swapped":         {change(func(d *Details) { none(d); d.DateOfBirth = "1950-04-03" }), Unsure, "birth-is-close"},
		"a child of the same name":      {change(func(d *Details) { none(d); d.DateOfBirth = "1981-07-12" }), Different, ""},
		"no date of birth":              {change(func(d *Details) { none(d); d.DateOfBirth = "" }), Unsure, "no-birth-to-compare"},
		"our own number, moved":         {change(func(d *Details) { d.Address = Address{Postcode: "ZZ1 1ZZ"} }), Same, "identifier"},
		"our own number, someone else":  {change(func(d *Details) { d.Name, d.DateOfBirth = Name{Given: "Bob", Family: "Hill"}, "1990-01-01" }), Unsure, "identifier-but-not-name-or-birth"},
		"only another sector's number":  {Details{Name: Name{Given: "Bob", Family: "Hill"}, DateOfBirth: "1990-01-01", Identifiers: ann.Identifiers[1:]}, Different, ""},
		"that number and a date":        {Details{DateOfBirth: ann.DateOfBirth, Identifiers: ann.Identifiers[1:]}, Different, ""},
		"that number, name, other date": {Details{Name: ann.Name, DateOfBirth: "1990-01-01", Identifiers: ann.Identifiers[1:]}, Different, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for i, pair := range [][2]Details{{ann, tc.told}, {tc.told, ann}} { // it never matters who came first
				if got, why := r.compare(pair[0], pair[1]); got != tc.want || why != tc.why {
					t.Errorf("%d: got %v %q, want %v %q", i, got, why, tc.want, tc.why)
				}
			}
		})
	}
	if v, _ := r.compare(change(func(d *Details) { none(d); d.Name.Given = "Zoe Ann" }), change(func(d *Details) { none(d); d.Name.Given = "Zoe Ruth" })); v != Unsure {
		t.Errorf("middle names that differ: %v, want unsure", v)
	}
	if v, _ := r.compare(Details{}, Details{}); v != Different {
		t.Errorf("nothing known on both sides: %v, want different", v)
	}
}
