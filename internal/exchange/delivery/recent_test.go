package delivery

import "testing"

// What was just frozen is handed out once, and what nobody comes for does not pile up.
func TestRecentPacksAreBounded(t *testing.T) {
	d := &Desk{recent: recent{packs: map[int64]*Frozen{}}}
	r := &d.recent
	d.Keep([]*Frozen{{id: 0, size: 1, items: []Item{{N: 7}}}, {id: 1, size: 1, items: []Item{{N: 8}}}})
	if r.take(0) != nil {
		t.Error("a pack that was not put is told")
	}
	if got := r.take(1); len(got) != 1 || got[0].N != 8 {
		t.Errorf("%+v", got)
	}
	if r.take(1) != nil {
		t.Error("a pack is handed out twice")
	}
	const size = recentBytes / 4
	d.Keep([]*Frozen{{id: 2, size: 1}})
	for id := int64(3); id < 1000; id++ { // 2 stays, the others are taken
		d.Keep([]*Frozen{{id: id, size: size, items: []Item{{N: id}}}})
		if got := r.take(id); len(got) != 1 || got[0].N != id {
			t.Fatalf("pack %d: %+v", id, got)
		}
	}
	if len(r.packs) != 1 || r.bytes != 1 || len(r.order) > 200 {
		t.Errorf("%d packs, %d bytes, %d in the order", len(r.packs), r.bytes, len(r.order))
	}
	for id := int64(1000); id < 2000; id++ { // nobody comes
		d.Keep([]*Frozen{{id: id, size: size}})
	}
	if len(r.packs) > 4 || r.bytes > recentBytes || len(r.order) > 200 {
		t.Errorf("%d packs, %d bytes, %d in the order", len(r.packs), r.bytes, len(r.order))
	}
	if r.take(2) != nil {
		t.Error("the oldest was kept")
	}
}
