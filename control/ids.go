package control

import (
	"crypto/rand"
	"fmt"
	"strings"
)

const (
	upperAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	lowerAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	idLength      = 13 // after the letter that says what it is
)

func newDistributionID() string { return "E" + randomWord(upperAlphabet) }
func newInvalidationID() string { return "I" + randomWord(upperAlphabet) }
func newETag() string           { return "E" + randomWord(upperAlphabet) }
func newDomainLabel() string    { return "d" + randomWord(lowerAlphabet) }

// newUUID returns a random UUID (RFC 9562, version 4), the form of a policy's id.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func randomWord(alphabet string) string {
	var word [idLength]byte
	var drawn [2 * idLength]byte
	fair := 256 - 256%len(alphabet) // numbers from there on would make the first letters likelier
	for n := 0; n < len(word); {
		rand.Read(drawn[:])
		for _, x := range drawn {
			if int(x) < fair && n < len(word) {
				word[n] = alphabet[int(x)%len(alphabet)]
				n++
			}
		}
	}
	return string(word[:])
}

// checkIfMatch compares an If-Match value with the ETag of what is to be changed. A value that can
// never have been an ETag is a mistake of the caller (400), one that could have been is a lost race
// (412): tools retry the second and give up on the first.
func checkIfMatch(ifMatch, etag string) error {
	if ifMatch == etag {
		return nil
	}
	if !couldBeETag(ifMatch) {
		return refuse("InvalidIfMatchVersion",
			"The If-Match version is missing or not valid for the resource. Send the ETag that reading the resource returned.")
	}
	return refuse("PreconditionFailed",
		"The resource has changed since the ETag %s was read. Read it again, apply the change to what it is now, and send its new ETag.", ifMatch)
}

func couldBeETag(s string) bool {
	return len(s) >= idLength && len(s) <= idLength+1 && s[0] == 'E' && strings.Trim(s, upperAlphabet) == ""
}
