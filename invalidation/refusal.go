package invalidation

import (
	"fmt"
	"strings"
)

// Reason says why a line is not an item.
type Reason int

const (
	Empty Reason = iota + 1
	NoSlash
	WindowsPath
	FullURL
	TooLong
	Tilde
	Unsafe
	NotASCII
	Fragment
	BadEscape
	TagEmpty
	TagTooLong
	TagCharacter
	TagComma
)

// refusals is everything that is said about a reason. A %s in the hint is the character and its escape.
var refusals = [...]struct{ name, what, hint string }{
	Empty: {"empty", "the item is empty",
		"Give a path such as /images/*, or a tag such as #news."},
	NoSlash: {"no-slash", "the path does not begin with a slash",
		"Begin the path with /, or with # if it is a tag."},
	WindowsPath: {"windows-path", "this is a path of a Windows machine",
		"The shell rewrote the path: in Git Bash, set MSYS_NO_PATHCONV=1 and try again."},
	FullURL: {"full-url", "this is a whole URL",
		"Give only what follows the host name, beginning with /."},
	TooLong: {"too-long", fmt.Sprintf("the path has more than %d characters", MaxPath),
		"Shorten the path and end it with *."},
	Tilde: {"tilde", "a path with ~ or %7E cannot be invalidated",
		"Put * in the place of the tilde, or end the path with * before it."},
	Unsafe: {"unsafe-character", "the path contains a character that must be percent-encoded",
		"Write %s."},
	NotASCII: {"not-ascii", "the path contains a character that must be percent-encoded",
		"Write %s."},
	Fragment: {"fragment", "the path contains #",
		"Leave out # and what follows, or write %%23 if it is a part of the path; give a tag as an item of its own."},
	BadEscape: {"bad-escape", "a percent sign is not followed by two hexadecimal digits",
		"Write %%25 for a percent sign."},
	TagEmpty: {"tag-empty", "there is no tag after #",
		"Write the tag right after #, as in #news."},
	TagTooLong: {"tag-too-long", fmt.Sprintf("the tag has more than %d characters", MaxTag),
		"Objects do not carry tags as long as this; shorten it."},
	TagCharacter: {"tag-character", "the tag contains a blank, a control character or one that is not ASCII",
		"Use the tag as the origin sends it: only ASCII letters, digits and signs, without blanks."},
	TagComma: {"tag-comma", "the tag contains a comma",
		"A comma parts tags: give each tag as an item of its own."},
}

// String returns the reason's name, as logs and JSON have it.
func (r Reason) String() string { return refusals[r].name }

// ItemError is Parse's refusal of a line.
type ItemError struct {
	Item   string // the line
	Reason Reason
	Hint   string // one or two sentences: what to do
}

func (e *ItemError) Error() string {
	return fmt.Sprintf("invalid item %s: %s", quote(e.Item), refusals[e.Reason].what)
}

// refuse makes the error; char is the offending character where the hint wants to name it.
func refuse(line string, r Reason, char string) error {
	hint := refusals[r].hint
	if char == "" {
		hint = strings.ReplaceAll(hint, "%%", "%")
	} else {
		hint = fmt.Sprintf(hint, quote(char)+" as "+escape(char))
	}
	return &ItemError{Item: line, Reason: r, Hint: hint}
}

// quote shows a line in a message, however long and whatever is in it.
func quote(line string) string {
	const most = 120
	if len(line) > most {
		return fmt.Sprintf("%q…", line[:most])
	}
	return fmt.Sprintf("%q", line)
}

func escape(char string) string {
	var b strings.Builder
	for i := range len(char) {
		fmt.Fprintf(&b, "%%%02X", char[i])
	}
	return b.String()
}
