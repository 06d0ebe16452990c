package wire

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// member is one field of a structure as it stands in a document.
type member struct {
	index int
	name  string // of the element
	item  string // of the elements inside, when the member is a list; else ""
}

// plan is how a structure's members map to elements: the xml tags of the generated types, parsed once.
type plan struct {
	members []member
	byName  map[string]int // index into members
}

var plans sync.Map // reflect.Type → *plan

// planOf panics on a type that the generator never writes: that is a mistake of ours.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	if t.NumField() > 64 {
		panic(fmt.Sprintf("BUG: %s has more members than reader.structure has bits", t))
	}
	p := &plan{byName: map[string]int{}}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("xml"), ",")
		if tag == "-" { // lives in the path, the query or a header
			continue
		}
		name, item, isList := strings.Cut(tag, ">")
		list := f.Type.Kind() == reflect.Slice && f.Type != blobType
		if name == "" || list != isList || (!list && f.Type != blobType && f.Type.Kind() != reflect.Pointer) {
			panic(fmt.Sprintf("BUG: %s.%s has type %s and xml tag %q", t, f.Name, f.Type, tag))
		}
		p.byName[name] = len(p.members)
		p.members = append(p.members, member{index: i, name: name, item: item})
	}
	plans.Store(t, p)
	return p
}

var (
	blobType      = reflect.TypeFor[Blob]()
	timestampType = reflect.TypeFor[Timestamp]()
)

// isStructure tells structures with elements inside from scalars.
func isStructure(t reflect.Type) bool { return t.Kind() == reflect.Struct && t != timestampType }
