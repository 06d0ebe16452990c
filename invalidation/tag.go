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

// ParseTags reads the value of a distribution's cache tag header as Subject.Tags wants it: parted at
// commas, blanks trimmed, in lower case, only the first MaxTags. What is not a tag by the rules of Parse is left
// out, as no item could name it, and does not count.
func ParseTags(value string) []string {
	var tags []string
	for value != "" && len(tags) < MaxTags {
		var tag string
		tag, value, _ = strings.Cut(value, ",")
		if tag = strings.Trim(tag, " \t"); isTag(tag) {
			tags = append(tags, foldTag(tag))
		}
	}
	return tags
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
