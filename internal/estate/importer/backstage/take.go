package backstage

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/openapi"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
)

// take makes the definition of an entity.
func (b *reader) take(e *entity) {
	kind, id, ok := strings.Cut(b.ids[e.ref()], "/")
	if !ok {
		b.other[e.kind]++
		b.r.Skipped++
		return
	}
	d := importer.Definition{Kind: kind, ID: id, Name: e.title(), Row: e.line, Spec: map[string]any{}}
	if t := text(e.meta["description"]); t != "" && kind != "Organisation" {
		d.Spec["description"] = t
	}
	switch kind {
	case "Capability":
		put(d.Spec, "parent", b.named(e, "subdomainOf", "domain", "Capability"))
	case "System":
		b.system(e, &d)
	case "Component":
		if ok = b.part(e, &d); !ok {
			return
		}
	case "Interface":
		if ok = b.api(e, &d); !ok {
			return
		}
	case "Organisation":
		d.Spec["type"] = "team"
		switch strings.ToLower(text(e.spec["type"])) {
		case "department", "business-unit", "division", "directorate", "organization", "organisation":
			d.Spec["type"] = "department"
		}
		d.Default = []string{"spec.type"}
		put(d.Spec, "parent", b.named(e, "parent", "group", "Organisation"))
	}
	d.Label("import/backstage", e.ref())
	for _, k := range slices.Sorted(maps.Keys(asMap(e.meta["labels"]))) {
		if v := text(asMap(e.meta["labels"])[k]); v != "" {
			d.Labels[k] = v
		}
	}
	if tags := texts(e.meta["tags"]); len(tags) > 0 {
		d.Labels["tags"] = strings.Join(tags, ", ")
	}
	b.r.Definitions = append(b.r.Definitions, d)
	b.r.Taken++
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func put(spec map[string]any, field, value string) {
	if value != "" {
		spec[field] = value
	}
}

// named follows a reference and tells one that leads nowhere.
func (b *reader) named(e *entity, field, entityKind, kind string) string {
	ref := text(e.spec[field])
	if ref == "" {
		return ""
	}
	id := b.id(ref, entityKind, kind, e)
	if id == "" {
		b.r.Problem(e.line, e.name, "spec.%s: there is no %s %q among the files; it was left out", field, entityKind, ref)
	}
	return id
}

var phases = map[string]string{"production": "live", "experimental": "pilot", "deprecated": "retiring", "retired": "retired", "planned": "planned"}

func (b *reader) system(e *entity, d *importer.Definition) {
	if owner := text(e.spec["owner"]); owner != "" {
		if who := b.resolve(owner, "group", e); who != nil && strings.EqualFold(who.kind, "group") {
			_, id, _ := strings.Cut(b.ids[who.ref()], "/")
			d.Spec["organisation"] = id
		} else if user, ok := strings.CutPrefix(strings.ToLower(owner), "user:"); ok {
			d.Spec["owner"] = "person-" + sheet.Slug(path.Base(user))
		} else {
			b.r.Problem(e.line, e.name, "spec.owner: there is no group %q among the files; it was left out", owner)
		}
	}
	if id := b.named(e, "domain", "domain", "Capability"); id != "" {
		d.Spec["capabilities"] = []any{id}
	}
	if stage := strings.ToLower(text(e.spec["lifecycle"])); stage != "" {
		if phase := phases[stage]; phase != "" {
			d.Spec["lifecycle"] = map[string]any{"phase": phase}
		} else {
			b.r.Problem(e.line, e.name, "spec.lifecycle: %q is not a phase that is known", stage)
		}
	}
}

// part is a component of a system, or a resource of one.
func (b *reader) part(e *entity, d *importer.Definition) bool {
	system := b.systemOf(e, map[string]bool{})
	if system == "" {
		b.r.Fail(e.line, e.name, "it is not known which system this %s is a part of", strings.ToLower(e.kind))
		return false
	}
	d.Spec["system"] = system
	return true
}

// systemOf is the system of an entity: its own, or that of what it is a part of.
func (b *reader) systemOf(e *entity, seen map[string]bool) string {
	if seen[e.ref()] {
		return ""
	}
	seen[e.ref()] = true
	if kind, id, _ := strings.Cut(b.ids[e.ref()], "/"); kind == "System" {
		return id
	}
	if id := b.id(text(e.spec["system"]), "system", "System", e); id != "" {
		return id
	}
	if whole := b.resolve(text(e.spec["subcomponentOf"]), "component", e); whole != nil {
		if id := b.systemOf(whole, seen); id != "" {
			return id
		}
	}
	for _, ref := range append(texts(e.spec["dependencyOf"]), texts(e.spec["consumedBy"])...) {
		if x := b.resolve(ref, "component", e); x != nil {
			if id := b.systemOf(x, seen); id != "" {
				return id
			}
		}
	}
	for _, x := range b.entities { // a resource is known by those that depend on it
		for _, ref := range append(texts(x.spec["dependsOn"]), texts(x.spec["providesApis"])...) {
			kind := "resource"
			if strings.EqualFold(e.kind, "api") {
				kind = "api"
			}
			if b.resolve(ref, kind, x) == e {
				if id := b.systemOf(x, seen); id != "" {
					return id
				}
			}
		}
	}
	return ""
}

var styles = map[string]string{"openapi": "api", "graphql": "api", "grpc": "api", "trpc": "api", "asyncapi": "event"}

func (b *reader) api(e *entity, d *importer.Definition) bool {
	system := b.systemOf(e, map[string]bool{})
	if system == "" {
		b.r.Fail(e.line, e.name, "it is not known which system provides this API: give it a spec.system, or name it in a component's providesApis")
		return false
	}
	style := styles[strings.ToLower(text(e.spec["type"]))]
	if style == "" {
		style, d.Default = "api", []string{"spec.style"}
		b.r.Problem(e.line, e.name, "spec.type: %q is not a style that is known; it was taken as an API", text(e.spec["type"]))
	}
	d.Spec["system"], d.Spec["style"] = system, style
	switch definition := e.spec["definition"].(type) {
	case string:
		if err := openapi.Good([]byte(definition)); err != nil {
			b.r.Problem(e.line, e.name, "spec.definition was not kept: %v", err)
			break
		}
		ending := ".yaml"
		if strings.HasPrefix(strings.TrimSpace(definition), "{") {
			ending = ".json"
		}
		kept := sheet.Slug(e.namespace+"-"+e.name) + ending
		if b.r.Attached == nil {
			b.r.Attached = map[string][]byte{}
		}
		b.r.Attached[kept] = []byte(definition)
		d.Spec["definition"] = path.Join(importer.PlaceOf(name).Attached(), kept)
	case map[string]any:
		for _, k := range []string{"$text", "$json", "$yaml", "$openapi"} {
			if a, err := sheet.Address(text(definition[k])); err == nil {
				d.Spec["definition"] = a
			}
		}
		if d.Spec["definition"] == nil {
			b.r.Problem(e.line, e.name, "spec.definition stands in another file; it was not fetched")
		}
	}
	return true
}
