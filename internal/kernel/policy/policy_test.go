package policy_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
)

var (
	strong  = reeve.Assurance{Identity: 2, Authentication: 2}
	staff   = reeve.Actor{ID: "staff/1", Kind: reeve.Staff, Roles: []string{"caseworker"}, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}
	partner = reeve.Actor{ID: "token/1", Kind: reeve.Partner, Party: "org-a", Assurance: strong}
)

func engine(t testing.TB) *policy.Engine {
	e, err := policy.New(
		policy.Rule{Name: "partners send", Actions: []string{"record.send"}, Kinds: []reeve.ActorKind{reeve.Partner}, Own: true, Max: reeve.Restricted},
		policy.Rule{Name: "caseworkers work cases", Actions: []string{"case.*"}, Kinds: []reeve.ActorKind{reeve.Staff}, Roles: []string{"caseworker", "admin"}, Max: reeve.Confidential},
		policy.Rule{Name: "admins see all cases", Actions: []string{"case.see"}, Kinds: []reeve.ActorKind{reeve.Staff}, Roles: []string{"admin"}, Max: reeve.Restricted},
		policy.Rule{Name: "all may look", Actions: []string{"page.see"}, Kinds: []reeve.ActorKind{reeve.Anyone, reeve.Staff, reeve.Partner, reeve.Resident}, Max: reeve.Internal},
	)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestDecisions(t *testing.T) {
	e := engine(t)
	admin := reeve.Actor{Kind: reeve.Staff, Roles: []string{"admin"}, Assurance: strong}
	for _, c := range []struct {
		name string
		r    policy.Request
		want string // the rule, or the reasons after "no: "
	}{
		{"own", policy.Request{Actor: partner, Action: "record.send", Party: "org-a", Classes: []reeve.Class{reeve.Restricted}}, "partners send"},
		{"another's", policy.Request{Actor: partner, Action: "record.send", Party: "org-b"}, "no: this belongs to another organisation"},
		{"nobody's", policy.Request{Actor: reeve.Actor{Kind: reeve.Partner, Assurance: strong}, Action: "record.send"}, "no: this belongs to another organisation"},
		{"wildcard", policy.Request{Actor: staff, Action: "case.close"}, "caseworkers work cases"},
		{"other noun", policy.Request{Actor: staff, Action: "cases.close"}, "no: no rule allows this"},
		{"no role", policy.Request{Actor: reeve.Actor{Kind: reeve.Staff, Assurance: strong}, Action: "case.close"}, "no: this needs the role caseworker or admin"},
		{"kind", policy.Request{Actor: partner, Action: "case.close"}, "no: no rule allows this to a partner's program"},
		{"too high", policy.Request{Actor: staff, Action: "case.edit", Classes: []reeve.Class{reeve.Public, reeve.Restricted}}, "no: it holds restricted data, and this may show no more than confidential"},
		{"by another rule", policy.Request{Actor: admin, Action: "case.see", Classes: []reeve.Class{reeve.Restricted}}, "admins see all cases"},
		{"signed in too weakly", policy.Request{Actor: reeve.Actor{Kind: reeve.Staff, Roles: []string{"admin"}, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, Action: "case.see", Classes: []reeve.Class{reeve.Restricted}}, "no: it holds restricted data: sign in with a second factor"},
		{"not proved", policy.Request{Actor: reeve.Actor{Kind: reeve.Resident, Assurance: reeve.Assurance{Identity: 0, Authentication: 1}}, Action: "page.see", Classes: []reeve.Class{reeve.Internal}}, "no: it holds internal data: first prove who you are"},
		{"not signed in", policy.Request{Actor: reeve.Actor{Kind: reeve.Anyone}, Action: "page.see", Classes: []reeve.Class{reeve.Internal}}, "no: sign in first"},
		{"anyone", policy.Request{Actor: reeve.Actor{Kind: reeve.Anyone}, Action: "page.see"}, "all may look"},
		{"nothing", policy.Request{}, "no: no rule allows this"},
		{"a class that is none", policy.Request{Actor: admin, Action: "case.see", Classes: []reeve.Class{9}}, "no: the data asked for has no class that is known here"},
	} {
		d := e.Decide(c.r)
		got := d.Rule
		if !d.Allow {
			got = "no: " + strings.Join(d.Reasons, "; ")
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRulesThatCannotBeMeant(t *testing.T) {
	ok := policy.Rule{Name: "x", Actions: []string{"a.b"}, Kinds: []reeve.ActorKind{reeve.Staff}}
	for want, change := range map[string]func(*policy.Rule){
		"no name":        func(r *policy.Rule) { r.Name = "" },
		"no actions":     func(r *policy.Rule) { r.Actions = nil },
		"no kinds":       func(r *policy.Rule) { r.Kinds = nil },
		"not an action":  func(r *policy.Rule) { r.Actions = []string{"*"} },
		"is not an act":  func(r *policy.Rule) { r.Actions = []string{"a.b.*"} },
		"kind of actor":  func(r *policy.Rule) { r.Kinds = []reeve.ActorKind{"god"} },
		"only staff":     func(r *policy.Rule) { r.Kinds, r.Roles = []reeve.ActorKind{reeve.Partner}, []string{"x"} },
		"owns nothing":   func(r *policy.Rule) { r.Kinds, r.Own = []reeve.ActorKind{reeve.Anyone}, true },
		"there is no cl": func(r *policy.Rule) { r.Max = 7 },
	} {
		r := ok
		change(&r)
		if _, err := policy.New(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := policy.New(ok, ok); err == nil {
		t.Error("a rule twice")
	}
	if e, err := policy.New(); err != nil || e.Decide(policy.Request{Actor: partner, Action: "a.b"}).Allow {
		t.Error("no rules should deny all")
	}
}

func TestPropertiesOfEveryDecision(t *testing.T) {
	actions := []string{"record.send", "record.see", "case.see", "case.close", "page.see"}
	patterns := append([]string{"record.*", "case.*", "page.*"}, actions...)
	parties := []string{"", "org-a", "org-b"}
	roles := []string{"admin", "caseworker", "architect"}
	kinds := []reeve.ActorKind{reeve.Anyone, reeve.Partner, reeve.Staff, reeve.Resident, reeve.Program}
	class := rapid.Custom(func(t *rapid.T) reeve.Class { return reeve.Class(rapid.IntRange(0, 4).Draw(t, "class")) })
	covers := func(pattern, action string) bool {
		return pattern == action || strings.HasSuffix(pattern, ".*") && strings.HasPrefix(action, pattern[:len(pattern)-1])
	}
	rapid.Check(t, func(t *rapid.T) {
		var rules []policy.Rule
		for i := range rapid.IntRange(0, 4).Draw(t, "rules") {
			r := policy.Rule{Name: string(rune('a' + i)),
				Actions: rapid.SliceOfNDistinct(rapid.SampledFrom(patterns), 1, 3, rapid.ID).Draw(t, "actions"),
				Kinds:   rapid.SliceOfNDistinct(rapid.SampledFrom(kinds), 1, 3, rapid.ID).Draw(t, "kinds"),
				Own:     rapid.Bool().Draw(t, "own"), Max: min(class.Draw(t, "max"), reeve.Restricted)}
			if slices.Equal(r.Kinds, []reeve.ActorKind{reeve.Staff}) {
				r.Roles = rapid.SliceOfNDistinct(rapid.SampledFrom(roles), 0, 2, rapid.ID).Draw(t, "roles")
			}
			r.Own = r.Own && !slices.Contains(r.Kinds, reeve.Anyone)
			rules = append(rules, r)
		}
		e, err := policy.New(rules...)
		if err != nil {
			t.Fatal(err)
		}
		req := policy.Request{Action: rapid.SampledFrom(actions).Draw(t, "action"), Party: rapid.SampledFrom(parties).Draw(t, "party"),
			Classes: rapid.SliceOfN(class, 0, 3).Draw(t, "classes"),
			Actor: reeve.Actor{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Party: rapid.SampledFrom(parties).Draw(t, "own party"),
				Roles: rapid.SliceOfNDistinct(rapid.SampledFrom(roles), 0, 2, rapid.ID).Draw(t, "has"),
				Assurance: reeve.Assurance{Identity: uint8(rapid.IntRange(0, 3).Draw(t, "identity")),
					Authentication: uint8(rapid.IntRange(0, 3).Draw(t, "authentication"))}}}
		top := reeve.Public
		for _, c := range req.Classes {
			top = max(top, c)
		}
		want := false
		for _, r := range rules { // the same, said another way
			own := !r.Own || req.Party != "" && req.Party == req.Actor.Party
			role := len(r.Roles) == 0 || slices.ContainsFunc(r.Roles, func(x string) bool { return slices.Contains(req.Actor.Roles, x) })
			action := slices.ContainsFunc(r.Actions, func(p string) bool { return covers(p, req.Action) })
			strong := map[reeve.Class]bool{reeve.Public: true,
				reeve.Internal:     req.Actor.Assurance.Identity >= 1 && req.Actor.Assurance.Authentication >= 1,
				reeve.Confidential: req.Actor.Assurance.Identity >= 2 && req.Actor.Assurance.Authentication >= 1,
				reeve.Restricted:   req.Actor.Assurance.Identity >= 2 && req.Actor.Assurance.Authentication >= 2}[top]
			if action && own && role && strong && top <= r.Max && slices.Contains(r.Kinds, req.Actor.Kind) {
				want = true
			}
		}
		d := e.Decide(req)
		if d.Allow != want {
			t.Fatalf("%+v\nwith %+v\ngives %+v", req, rules, d)
		}
		if d.Allow == (d.Rule == "") || d.Allow == (len(d.Reasons) > 0) {
			t.Fatalf("a decision without its reason: %+v", d)
		}
		slices.Reverse(rules)
		if r, _ := policy.New(rules...); r.Decide(req).Allow != d.Allow {
			t.Fatal("the order of rules matters")
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	e := engine(b)
	r := policy.Request{Actor: partner, Action: "record.send", Party: "org-a", Classes: []reeve.Class{reeve.Restricted}}
	b.ReportAllocs()
	for b.Loop() {
		if !e.Decide(r).Allow {
			b.Fatal("denied")
		}
	}
}

// A rule with Sworn allows one thing for a reason that was given, to those with its
// roles, with one factor; and nothing without.
func TestSworn(t *testing.T) {
	e, err := policy.New(policy.Rule{Name: "stewards", Actions: []string{"held.read"}, Kinds: []reeve.ActorKind{reeve.Staff}, Roles: []string{"steward"}, Max: reeve.Restricted, Sworn: true})
	if err != nil {
		t.Fatal(err)
	}
	steward := reeve.Actor{ID: "staff/1", Kind: reeve.Staff, Roles: []string{"steward"}, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}
	other, unproved := steward, steward
	other.Roles, unproved.Assurance.Identity = []string{"admin"}, 1
	for _, c := range []struct {
		name  string
		actor reeve.Actor
		about reeve.Ref
		sworn bool
		want  bool
	}{
		{"for a reason", steward, "record/r1-1", true, true},
		{"without one", steward, "record/r1-1", false, false},
		{"of nothing in particular", steward, "", true, false},
		{"without the role", other, "record/r1-1", true, false},
		{"who was not proved to be who they are", unproved, "record/r1-1", true, false},
	} {
		d := e.Decide(policy.Request{Actor: c.actor, Action: "held.read", Classes: []reeve.Class{reeve.Restricted}, About: c.about, Sworn: c.sworn})
		if d.Allow != c.want {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
	if _, err := policy.New(policy.Rule{Name: "all", Actions: []string{"held.read"}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Restricted, Sworn: true}); err == nil {
		t.Error("a rule with Sworn for whoever is staff")
	}
}
