package offline

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/suggest"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// What is proposed, saved beside the body, has no problem but in the lines that say
// themselves that a person must write them; and what allows the target's records
// stands in the type of the rows.
func TestSuggestionsPassCheck(t *testing.T) {
	body := os.DirFS("../../../demo/body")
	set, problems := def.Load(body, Registry())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	file := filepath.Join(t.TempDir(), "what they sent.csv")
	text := "Ref No;First name;Surname;E-mail;Date of birth;Date of death;Postcode;Income: \"net\"\n" +
		"A-1;Ada;Byron;ada@example.org;10/12/1815;27/11/1852;FB1 2AA;12\nA-2;Grace;Hopper;;09/12/1906;01/01/1992;FB1 3BD;7\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	basis := 0
	for _, o := range def.All[contract.Spec](set) {
		if o.Spec.LawfulBasis.Article6 == "" || basis == 2 { // two are enough
			continue
		}
		basis++
		s, problems, err := Suggest(t.Context(), body, SuggestOptions{File: file, Type: o.ID})
		if err != nil || len(problems) > 0 {
			t.Fatal(o.ID, problems, err)
		}
		dir := t.TempDir()
		if err := os.CopyFS(dir, body); err != nil {
			t.Fatal(err)
		}
		if err := WriteSuggestion(s, dir); err != nil {
			t.Fatal(err)
		}
		lines := map[string][]string{}
		for _, f := range s.Files {
			lines[f.Path] = strings.Split(f.Text, "\n")
		}
		_, problems = Check(os.DirFS(dir))
		for _, p := range problems {
			if l := lines[p.File]; p.Line < 1 || p.Line > len(l) || !strings.Contains(l[p.Line-1], "TODO for a person") {
				t.Errorf("%s: %s:%d: %s", o.ID, p.File, p.Line, p.Message)
			}
		}
		if want := "lawfulBasis: {article6: " + o.Spec.LawfulBasis.Article6; !slices.ContainsFunc(s.Files, func(f suggest.File) bool { return strings.Contains(f.Text, want) }) {
			t.Errorf("%s: the lawful basis is not proposed", o.ID)
		}
	}
	if basis == 0 {
		t.Error("no record type of the body has a lawful basis")
	}
}
