package invalidation

import "strings"

// parseTag reads "#tag".
func parseTag(line string) (Item, error) {
	tag := line[1:]
	switch {
	case tag == "":
		return Item{}, refuse(line, TagEmpty, "")
	case len(tag) > MaxTag:
		return Item{}, refuse(line, TagTooLong, "")
	}
	for i := range len(tag) {
		switch {
		case tag[i] == ',':
			return Item{}, refuse(line, TagComma, "")
		case !isTagByte(tag[i]):
			return Item{}, refuse(line, TagCharacter, "")
		}
	}
	return Item{text: foldTag(line), kind: Tag}, nil
}

// TagList is how the field is written in which a distribution's origin names an object's tags. Its name says so:
// those that other caches have made common keep their own rules, so that a site can be moved here as it is.
type TagList struct {
	Blanks  bool // blanks part tags too, not commas alone
	Private bool // it is between the origin and its caches: viewers are not shown it
	Most    int  // tags of an object that count
}

// TagListOf knows the lists by the name of their field, in whatever case:
//
//	Surrogate-Key   Fastly's: parted at blanks, and taken away before viewers see it
//	Cache-Tag       Cloudflare's: parted at commas, and taken away likewise
//	any other       CloudFront's: parted at commas, passed on, the first MaxTags count
//
// The first two bring more tags along than CloudFront counts, and an object would not die by those that are left out:
// of them MaxManyTags count. Lines of one field are joined by commas, so they part tags in each.
func TagListOf(field string) TagList {
	switch {
	case strings.EqualFold(field, "Surrogate-Key"):
		return TagList{Blanks: true, Private: true, Most: MaxManyTags}
	case strings.EqualFold(field, "Cache-Tag"):
		return TagList{Private: true, Most: MaxManyTags}
	}
	return TagList{Most: MaxTags}
}

// Parse reads the value as Subject.Tags wants it: trimmed, in lower case, the first Most. What is not a tag by the
// rules of Parse is left out, as no item could name it, and so are those beyond Most; left is how many that are.
func (l TagList) Parse(value string) (tags []string, left int) {
	ends := ","
	if l.Blanks {
		ends = ", \t"
	}
	for value != "" {
		tag, rest := value, ""
		if i := strings.IndexAny(value, ends); i >= 0 {
			tag, rest = value[:i], value[i+1:]
		}
		value = rest
		switch tag = strings.Trim(tag, " \t"); {
		case tag == "":
		case len(tags) == l.Most || !isTag(tag):
			left++
		default:
			tags = append(tags, foldTag(tag))
		}
	}
	return tags, left
}

func isTag(tag string) bool {
	if tag == "" || len(tag) > MaxTag {
		return false
	}
	for i := range len(tag) {
		if !isTagByte(tag[i]) {
			return false
		}
	}
	return true
}

func isTagByte(c byte) bool { return 33 <= c && c <= 126 && c != ',' }

// foldTag folds ASCII only, which is all there is in a tag.
func foldTag(tag string) string { return strings.ToLower(tag) }
