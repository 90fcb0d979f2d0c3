package carbon

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// The sources of emissions, in the order in which they are shown.
const (
	Making      = "Making the devices"
	Electricity = "Electricity for the devices"
	Hosted      = "Software that others host"
	Bought      = "Bought, worked out from money"
)

// life is how many years making a device is spread over where no factor says.
const life = 4

// Footprint is what the estate emits in a year, on a day.
//
// Nothing is counted twice: what is known from things (devices, users of hosted
// software) is counted from the things, and the money paid for the same is left
// out; see [Footprint.skips]. Everything else is counted by money.
type Footprint struct {
	On      def.Date
	Total   Amount
	Sources map[string]Amount // by source
	Systems []System          // ours in use, the most first
	Types   []Type            // of devices, the most first
	Used    []*Factor         // the factors behind it, in the order of their ids
	Country string            // where things are whose site is not known

	Assets, AssetsKnown       int // in service, and those with both figures
	Contracts, ContractsKnown int // in force, and those whose money is counted or replaced
	Money, MoneyKnown         register.Money
	Factors                   bool // factors are declared; without any nothing is known

	system  map[string]int
	assets  []Amount // of the snapshot's assets
	used    map[string]*Factor
	fs      factors
	s       *register.Snapshot
	byAsset map[deviceKey]Device
}

// System is the part of a system.
type System struct {
	ID, Name            string
	Amount              Amount
	Parts               map[string]Amount // by source
	Known, Expected     int               // parts that are known, of those that it should have
	Missing             []string          // what is not, in words
	Users, Transactions float64           // 0: not known
}

// Coverage is the share of what it should have that is known.
func (s System) Coverage() float64 {
	if s.Expected == 0 {
		return 0
	}
	return float64(s.Known) / float64(s.Expected)
}

// PerUser is the amount for one user, not known where the users are not.
func (s System) PerUser() Amount { return per(s.Amount, s.Users) }

// PerTransaction is the amount for one transaction.
func (s System) PerTransaction() Amount { return per(s.Amount, s.Transactions) }

func per(a Amount, n float64) Amount {
	if n <= 0 || !a.Known {
		return lacking
	}
	return a.Times(1 / n)
}

// Type is the devices of a type.
type Type struct {
	Name                string
	Count, Known        int
	Making, Electricity Amount
	Spread              int     // of which making is still being spread over their years
	Years               float64 // over which making is spread
}

// Device is what one device emits.
type Device struct {
	Making, Power *Factor
	Grid          *Factor
	Once          Amount // to make it
	Years         float64
	Use           Amount // a year
}

// Of is the footprint of a snapshot on its day.
func Of(s *register.Snapshot) *Footprint { return OfOn(s, s.Today) }

// OfOn is the footprint as it was on an earlier day, worked out from what is known
// now: what was bought by then, and the contracts that were in force. What was
// disposed of since is not in it.
func OfOn(s *register.Snapshot, on def.Date) *Footprint {
	f := &Footprint{On: on, s: s, Sources: map[string]Amount{}, system: map[string]int{}, assets: make([]Amount, len(s.Assets)), used: map[string]*Factor{}, byAsset: map[deviceKey]Device{}, fs: factorsOf(s.Set)}
	f.Factors, f.Country = len(f.fs) > 0, f.fs.country()
	transactions := f.transactions()
	for _, x := range s.Systems {
		if !x.Spec.InUse() || !s.Ours(x.Spec.Organisation) {
			continue
		}
		f.system[x.ID] = len(f.Systems)
		p := System{ID: x.ID, Name: x.Name, Parts: map[string]Amount{}, Transactions: transactions[x.ID]}
		if x.Spec.Users != nil {
			p.Users = float64(*x.Spec.Users)
		}
		f.Systems = append(f.Systems, p)
	}
	f.devices()
	f.hosted()
	f.contracts()
	for _, k := range sortedKeys(f.used) {
		f.Used = append(f.Used, f.used[k])
	}
	for _, a := range f.Sources {
		f.Total = f.Total.Plus(a)
	}
	slices.SortStableFunc(f.Systems, func(a, b System) int { return cmp.Compare(b.Amount.Kg, a.Amount.Kg) })
	for i, x := range f.Systems {
		f.system[x.ID] = i
	}
	return f
}

// System is the part of a system; ok is false for one that is not ours or not in
// use.
func (f *Footprint) System(id string) (System, bool) {
	i, ok := f.system[id]
	if !ok {
		return System{}, false
	}
	return f.Systems[i], true
}

// Asset is what a device emits a year, on the day of the footprint.
func (f *Footprint) Asset(id string) Amount {
	i, ok := slices.BinarySearchFunc(f.s.Assets, id, func(a inventory.Asset, id string) int { return cmp.Compare(a.ID, id) })
	if !ok {
		return lacking
	}
	return f.assets[i]
}

// transactions are those of the last twelve months, by system: points of the
// series "transactions/" and the system's id.
func (f *Footprint) transactions() map[string]float64 {
	out, from := map[string]float64{}, f.On.Add(-1, 0, 0)
	for _, p := range f.s.Inventory.Points {
		if id, ok := strings.CutPrefix(p.Series, "transactions/"); ok && p.On.After(from) && !p.On.After(f.On) {
			out[f.s.Set.Present("System", id)] += p.Value
		}
	}
	return out
}

// inService reports whether a device counts: it is there, and not on order, lost
// or gone.
func inService(a *inventory.Asset) bool {
	switch a.State {
	case "ordered", "lost", "stolen", "disposed":
		return false
	}
	return a.Type != "licence-seat" // not a thing
}

// devices adds up making and using the devices. Making is spread evenly over the
// years that the factor gives, from the day of buying; where that day is not
// known, it counts as within them.
func (f *Footprint) devices() {
	types := map[string]*Type{}
	sites := map[string]string{}
	for _, x := range f.s.Sites {
		sites[x.ID] = strings.ToUpper(x.Spec.Country)
	}
	var makings, uses Amount
	for i := range f.s.Assets {
		a := &f.s.Assets[i]
		if !inService(a) || !a.Bought.IsZero() && a.Bought.After(f.On) {
			f.assets[i] = lacking
			continue
		}
		country := ""
		if a.Site != "" {
			country = sites[f.s.Set.Present("Site", a.Site)]
		}
		if country == "" {
			country = f.Country
		}
		d := f.device(a, country)
		kind := a.Type
		if kind == "" {
			kind = "not said"
		}
		t := types[kind]
		if t == nil {
			t = &Type{Name: kind, Years: d.Years}
			types[kind] = t
		}
		t.Count++
		making, use := lacking, d.Use
		if d.Making != nil {
			making = d.Once.Times(1 / d.Years)
			if !a.Bought.IsZero() && float64(f.On.Sub(a.Bought))/365.25 > d.Years {
				making = Amount{Known: true} // all of it was counted in earlier years
			} else {
				t.Spread++
			}
		}
		if a.State == "stock" {
			use = Amount{Known: true} // it is in a cupboard
		}
		t.Making, t.Electricity = t.Making.Plus(making), t.Electricity.Plus(use)
		f.Assets++
		if making.Known && use.Known {
			f.AssetsKnown++
			t.Known++
		}
		makings, uses = makings.Plus(making), uses.Plus(use)
		f.assets[i] = making.Plus(use)
		for _, id := range a.Systems {
			n := 1 / float64(len(a.Systems))
			f.part(id, Making, making.Times(n))
			f.part(id, Electricity, use.Times(n))
		}
	}
	if f.Assets > 0 {
		f.add(Making, makings)
		f.add(Electricity, uses)
	}
	for _, k := range sortedKeys(types) {
		f.Types = append(f.Types, *types[k])
	}
	slices.SortStableFunc(f.Types, func(a, b Type) int {
		return cmp.Compare(b.Making.Kg+b.Electricity.Kg, a.Making.Kg+a.Electricity.Kg)
	})
}

// deviceKey is what decides the figures of a device.
type deviceKey struct{ ref, maker, model, kind, country string }

// device finds the factors of a device: of its carbon reference, of its maker and
// model, of its type.
func (f *Footprint) device(a *inventory.Asset, country string) Device {
	k := deviceKey{a.CarbonRef, a.Maker, a.Model, a.Type, country}
	if d, ok := f.byAsset[k]; ok {
		return d
	}
	of := []string{a.CarbonRef, strings.TrimSpace(a.Maker + " " + a.Model), a.Model, a.Type}
	d := Device{Making: f.use(f.fs.find("embodied", of...)), Power: f.use(f.fs.find("power", of...)), Grid: f.fs.find("grid", country), Years: life, Once: lacking, Use: lacking}
	if d.Making != nil {
		d.Once = d.Making.amount(1)
		if d.Making.Spec.Years != nil {
			d.Years = *d.Making.Spec.Years
		}
	}
	if d.Power != nil && d.Grid != nil {
		f.use(d.Grid)
		d.Use = Amount{Kg: d.Power.Spec.Value * d.Grid.Spec.Value, Low: d.Power.Low * d.Grid.Low, High: d.Power.High * d.Grid.High, Known: true}
	}
	f.byAsset[k] = d
	return d
}

func (f *Footprint) use(x *Factor) *Factor {
	if x != nil {
		f.used[x.ID] = x
	}
	return x
}

// hosted adds software that others host, by its users.
func (f *Footprint) hosted() {
	for i := range f.Systems {
		p := &f.Systems[i]
		x, _ := f.s.System(p.ID)
		if g := f.perUser(x); g != nil {
			f.use(g)
			a := g.amount(p.Users)
			f.add(Hosted, a)
			f.part(p.ID, Hosted, a)
		}
		f.running(p, x)
	}
}

// perUser is the factor of one user of a hosted system, nil if there is none or
// its users are not known.
func (f *Footprint) perUser(x register.System) *Factor {
	if x.Spec.Users == nil {
		return nil
	}
	return f.fs.find("cloud", x.Spec.Product, x.Spec.Hosting)
}

// running notes whether it is known what running a system emits: of the machines
// that it runs on, of its users where others host it, or through its contract.
func (f *Footprint) running(p *System, x register.System) {
	p.Expected++
	switch x.Spec.Hosting {
	case "":
		p.Missing = append(p.Missing, "where it runs")
	case "on-premise", "private-cloud":
		if p.Parts[Making].Known && p.Parts[Electricity].Known {
			p.Known++
		} else {
			p.Missing = append(p.Missing, "the machines that it runs on")
		}
	default:
		if p.Parts[Hosted].Known || f.paidFor(x.ID) {
			p.Known++
		} else {
			p.Missing = append(p.Missing, "a factor for hosting, or what is paid for it")
		}
	}
}

// paidFor reports whether a contract in force pays for a system with money that is
// counted.
func (f *Footprint) paidFor(system string) bool {
	return slices.ContainsFunc(f.s.ContractsOf[system], func(k register.Contract) bool {
		return f.inForce(k) && slices.ContainsFunc(k.Spec.Cost, func(c cost) bool { return f.fs.find("spend", c.Pool) != nil })
	})
}

func (f *Footprint) add(source string, a Amount) { f.Sources[source] = f.Sources[source].Plus(a) }

func (f *Footprint) part(system, source string, a Amount) {
	i, ok := f.system[f.s.Set.Present("System", system)]
	if !ok {
		return
	}
	p := &f.Systems[i]
	p.Parts[source], p.Amount = p.Parts[source].Plus(a), p.Amount.Plus(a)
}
