package search

import (
	"cmp"
	"slices"
	"strings"
)

// builder gathers what is to be found.
type builder struct {
	id    map[string]uint32
	words []string
	posts []post
	seen  map[string][]uint32 // words of texts that come again and again
}

type post struct{ word, doc uint32 } // doc: its number times two, plus one in a name

func newBuilder(docs int) *builder {
	return &builder{id: make(map[string]uint32, docs), posts: make([]post, 0, docs*6), seen: map[string][]uint32{}}
}

func (b *builder) word(w string) uint32 {
	id, ok := b.id[w]
	if !ok {
		id = uint32(len(b.words))
		w = strings.Clone(w)
		b.id[w] = id
		b.words = append(b.words, w)
	}
	return id
}

// name makes document doc be found by the words of its name or id.
func (b *builder) name(doc int, text string) {
	words(text, func(w string) { b.posts = append(b.posts, post{b.word(w), uint32(doc)<<1 | 1}) })
}

// detail makes it be found by what else is said of it; such texts come again.
func (b *builder) detail(doc int, text string) {
	if text == "" {
		return
	}
	ids, ok := b.seen[text]
	if !ok {
		words(text, func(w string) { ids = append(ids, b.word(w)) })
		if len(text) < 80 {
			b.seen[text] = ids
		}
	}
	for _, id := range ids {
		b.posts = append(b.posts, post{id, uint32(doc) << 1})
	}
}

// segment is a part of the index: an inverted file over sorted words.
type segment struct {
	docs  int
	entry func(i int) Entry
	kind  func(i int) int // its place in kinds
	words []string        // sorted
	at    []uint32        // where the documents of each word begin; one more than words
	posts []uint32        // documents, times two, plus one where the word is in the name
	wordy []uint32        // the words that people may mistype: of letters only, and not short
}

func (b *builder) segment(docs int, entry func(int) Entry, kind func(int) int) *segment {
	order := make([]uint32, len(b.words))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(x, y uint32) int { return strings.Compare(b.words[x], b.words[y]) })
	s := &segment{docs: docs, entry: entry, kind: kind, words: make([]string, len(order)), at: make([]uint32, len(order)+1), posts: make([]uint32, len(b.posts))}
	place := make([]uint32, len(order)) // of each word in its order
	for i, id := range order {
		s.words[i] = b.words[id]
		place[id] = uint32(i)
		if letters(s.words[i]) {
			s.wordy = append(s.wordy, uint32(i))
		}
	}
	for _, p := range b.posts { // a counting sort by word
		s.at[place[p.word]+1]++
	}
	for i := range order {
		s.at[i+1] += s.at[i]
	}
	next := slices.Clone(s.at)
	for _, p := range b.posts {
		w := place[p.word]
		s.posts[next[w]] = p.doc
		next[w]++
	}
	return s
}

// letters reports whether a word is one that people mistype.
func letters(w string) bool {
	if len(w) < 4 {
		return false
	}
	for i := 0; i < len(w); i++ {
		if w[i] >= '0' && w[i] <= '9' {
			return false
		}
	}
	return true
}

// What a word of a query counts where it is found.
const (
	wholeName   = 100
	startOfName = 60
	wholeText   = 40
	startOfText = 20
	inside      = 12
	mistyped    = 8
)

// match is how the words of a query and of a document go together.
type match int

const (
	beginning match = iota // every word of the query begins a word
	loosely                // or is inside of one, or nearly the same
	anyWord                // one of the words will do
)

// find gives each document the sum of what the words of a query count in it;
// zero where it does not match.
func (s *segment) find(query []string, how match) []uint16 {
	total := make([]uint16, s.docs)
	for n, q := range query {
		score := total
		if n > 0 {
			score = make([]uint16, s.docs)
		}
		s.word(q, how == loosely, score)
		if n > 0 {
			for i, v := range score {
				if how != anyWord && (v == 0 || total[i] == 0) {
					total[i] = 0
				} else {
					total[i] += v
				}
			}
		}
	}
	return total
}

func (s *segment) word(q string, loose bool, score []uint16) {
	from, _ := slices.BinarySearch(s.words, q)
	to := from
	for ; to < len(s.words) && strings.HasPrefix(s.words[to], q); to++ {
		if s.words[to] == q {
			s.count(to, wholeName, wholeText, score)
		} else {
			s.count(to, startOfName, startOfText, score)
		}
	}
	if !loose || len(q) < 3 {
		return
	}
	wrong := 0
	switch {
	case len(q) >= 8:
		wrong = 2
	case len(q) >= 4:
		wrong = 1
	}
	for _, w := range s.wordy {
		if int(w) >= from && int(w) < to {
			continue
		}
		if strings.Contains(s.words[w], q) {
			s.count(int(w), inside, inside/2, score)
		} else if wrong > 0 && letters(q) && near(q, s.words[w], wrong) {
			s.count(int(w), mistyped, mistyped/2, score)
		}
	}
}

func (s *segment) count(word int, inName, inText uint16, score []uint16) {
	for _, p := range s.posts[s.at[word]:s.at[word+1]] {
		v := inText
		if p&1 == 1 {
			v = inName
		}
		if d := p >> 1; score[d] < v {
			score[d] = v
		}
	}
}

// best keeps the most fitting documents.
type best struct {
	max  int
	hits []hit
}

type hit struct {
	seg   *segment
	doc   int
	score int
}

func (b *best) add(h hit) {
	if len(b.hits) == b.max && b.hits[len(b.hits)-1].score >= h.score {
		return
	}
	i, _ := slices.BinarySearchFunc(b.hits, h.score, func(x hit, score int) int {
		return cmp.Or(cmp.Compare(score, x.score), -1) // after those that are as good
	})
	b.hits = slices.Insert(b.hits, i, h)
	if len(b.hits) > b.max {
		b.hits = b.hits[:b.max]
	}
}
