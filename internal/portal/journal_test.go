package portal

import (
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/kernel/journal"
)

// TestJournalReadsAsSentences puts what the journal says in ids and codes into words.
func TestJournalReadsAsSentences(t *testing.T) {
	names := map[string]string{"flow-a": "Deaths to libraries", "agr-a": "Deaths", "org-b": "Libraries", "if-b": "Nightly files", "le-death": "Death"}
	p := &Portal{asks: Asks{Name: func(id string) string {
		if n := names[id]; n != "" {
			return n
		}
		return id
	}}}
	for _, tc := range []struct {
		e          journal.Entry
		text, href string
	}{
		{journal.Entry{Actor: "flow/flow-a", Verb: "disclosing", About: "record/r1-2", Purpose: "library-membership", Why: []string{"agr-a", "org-b", "if-b", "/status", "/deceased/dateOfBirth"}},
			"The flow \u201cDeaths to libraries\u201d|is passing on|record r1-2|For library membership. Under \u201cDeaths\u201d, to Libraries, through Nightly files. Fields: status \u00b7 deceased, date of birth.", "/staff/records/r1-2"},
		{journal.Entry{Actor: "token/abc", Verb: "accepted", About: "record/r1-2"}, "A partner (token abc)|sent, and we accepted,|record r1-2|", "/staff/records/r1-2"},
		{journal.Entry{Actor: "lifeevent", Verb: "opened case", About: "case/9"}, "Life events|opened|case 9|", "/staff/cases/9"},
		{journal.Entry{Actor: "lifeevent", Verb: "confirmed le-death", About: "life-event/3"}, "Life events|confirmed Death|life event 3|", "/staff/life-events/3"},
		{journal.Entry{Actor: "notify", Verb: "sent message", About: "message/m-x"}, "Messages|sent|a message|", "/staff/messages/m-x"},
		{journal.Entry{Actor: "staff/1", Verb: "signed in"}, "Member of staff 1|signed in||", ""},
	} {
		l := p.line(tc.e)
		if got := strings.Join([]string{l.Who, l.Did, l.About, strings.Join(l.More, " ")}, "|"); got != tc.text || l.Href != tc.href {
			t.Errorf("%+v\n got %s %s\nwant %s %s", tc.e, got, l.Href, tc.text, tc.href)
		}
	}
}
