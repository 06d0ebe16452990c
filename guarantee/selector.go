package guarantee

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// matches tells whether an item means the object, whatever its version: the definition of the language, and nothing else.
// An item cannot have a bracket but as an escape, which means it in each of its spellings.
func matches(item string, o *Object) bool {
	if tag, ok := strings.CutPrefix(item, "#"); ok {
		for _, t := range o.Tags {
			if strings.EqualFold(t, tag) {
				return true
			}
		}
		return false
	}
	return glob(unspelled(item), o.Target())
}

// meant tells whether some item means the object, whatever its version.
func meant(items []string, o *Object) bool {
	return slices.ContainsFunc(items, func(it string) bool { return matches(it, o) })
}

// A tag of a version means what is stored of an object when the version that is stored has it: so an object is meant whose shown version is of the
// edition, also when the origin has a new one that is not; and one is not of which only the predecessor of what is shown was.

// late is how many versions, up to the newest, are looked at: whoever has none of them with the tag, of that nothing is demanded.
const late = 3

// lately tells whether some late version of the object has one of the tags.
func lately(tags []string, o *Object) bool {
	newest := o.version.Load()
	for back := range min(late, newest) {
		if slices.Contains(tags, o.edition(newest-back)) {
			return true
		}
	}
	return false
}

// editionsIn returns the tags of versions among the items, nil if there is none.
func editionsIn(items []string) (tags []string) {
	for _, it := range items {
		if changing(it) {
			tags = append(tags, it[1:])
		}
	}
	return tags
}

// changing tells whether an item is a tag of versions.
func changing(item string) bool { return strings.HasPrefix(item, "#"+edition) }

// glob: an asterisk is any run of characters.
func glob(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	if pattern[0] != '*' {
		return s != "" && s[0] == pattern[0] && glob(pattern[1:], s[1:])
	}
	for i := range len(s) + 1 {
		if glob(pattern[1:], s[i:]) {
			return true
		}
	}
	return false
}

// spellings are those of brackets, in requests; in items only the last ones.
var spellings = [...]*strings.Replacer{strings.NewReplacer(), strings.NewReplacer("[", "%5B", "]", "%5D"), strings.NewReplacer("[", "%5b", "]", "%5d")}

// unspelled is the spelling that objects' targets have.
func unspelled(s string) string { return brackets.Replace(s) }

var brackets = strings.NewReplacer("%5B", "[", "%5D", "]", "%5b", "[", "%5d", "]")

// shape is what an item looks like, for the summary.
func shape(item string) string {
	stars := strings.Count(item, "*")
	switch {
	case changing(item):
		return "tag of a version"
	case item[0] == '#':
		return "tag"
	case item == "/*":
		return "everything"
	case stars == 0:
		return "exact"
	case stars == 1 && strings.HasSuffix(item, "*"):
		return "prefix"
	case stars == 1 && strings.HasPrefix(item, "/*"):
		return "suffix"
	}
	return "wildcard"
}

// shapes in the order in which they are reported.
var shapes = []string{"exact", "prefix", "suffix", "wildcard", "tag", "tag of a version", "everything"}

// pick makes an item that matches o, and mostly others too. Each shape is drawn about as often as it
// takes for the objects to stay cached long enough between invalidations.
func pick(r *rand.Rand, o *Object) string {
	return spellings[1+r.IntN(len(spellings)-1)].Replace(pickRaw(r, o))
}

// pickRaw is pick, of an item as nobody may spell it.
func pickRaw(r *rand.Rand, o *Object) string {
	parts := strings.Split(o.Target(), "/") // "", section, kind, name
	section, kind, name := parts[1], parts[2], parts[3]
	switch n := r.IntN(100); {
	case n < 40:
		return o.Target()
	case n < 50:
		return fmt.Sprintf("/%s/%s/*", section, kind)
	case n < 54:
		return fmt.Sprintf("/%s/*", section)
	case n < 62:
		return "/*" + name[len(name)-min(len(name), 5+r.IntN(2)):]
	case n < 72:
		return fmt.Sprintf("/*/%s/%s*%s", kind, name[:3], name[len(name)-3:])
	case n < 76:
		return fmt.Sprintf("/%s/*%s", section, name[len(name)-3:])
	case n < 86 && o.edition(1) != "":
		version := o.version.Load() // which caches have, before it is written anew; or, now and then, had
		return "#" + o.edition(version-min(version-1, uint64(r.IntN(4)/3)))
	case n < 98:
		return "#" + o.Tags[r.IntN(len(o.Tags))]
	}
	return "/*"
}
