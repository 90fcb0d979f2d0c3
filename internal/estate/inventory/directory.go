package inventory

import (
	"cmp"
	"slices"
	"strings"
)

// Directory finds people by their id and by their mail address.
type Directory struct {
	people []Person
	email  map[string]int
	known  bool
}

// Found is what the directory says of somebody.
type Found struct {
	Key    string // by which was asked
	Person Person
	OK     bool // there is somebody of that id or address
	Known  bool // a directory was imported, so that not to be in it says something
}

// Active reports whether somebody is there and the directory says so.
func (f Found) Active() bool { return f.OK && f.Person.Active }

// Gone reports whether the directory says that nobody of that name is there now.
func (f Found) Gone() bool { return f.Key != "" && f.Known && !f.Active() }

// NewDirectory prepares to find the people of an inventory.
func NewDirectory(inv *Inventory) *Directory {
	_, known := inv.Imports[string(TypePerson)]
	d := &Directory{people: inv.People, known: known, email: make(map[string]int, len(inv.People))}
	for i, p := range d.people {
		if p.Email != "" {
			d.email[p.Email] = i
		}
	}
	return d
}

// Find looks somebody up.
func (d *Directory) Find(key string) Found {
	f := Found{Key: key, Known: d.known}
	i, ok := slices.BinarySearchFunc(d.people, key, func(p Person, id string) int { return cmp.Compare(p.ID, id) })
	if !ok {
		i, ok = d.email[strings.ToLower(key)]
	}
	if ok {
		f.Person, f.OK = d.people[i], true
	}
	return f
}
