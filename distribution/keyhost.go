package distribution

import "strings"

// KeyHost returns the host in a cache key, without its port and final dot; "" if the key has none, and what is stored under it is for
// every host of the distribution. It is a part of key, and costs a walk over what is in front of it.
func KeyHost(key string) string {
	for range 3 { // id, method, path
		_, key = cutPart(key)
	}
	if len(key) < 2 {
		return ""
	}
	hasQuery := key[1] == 1
	if key = key[2:]; hasQuery {
		_, key = cutPart(key)
	}
	for len(key) > 0 && key[0] == 'h' {
		var name, value string
		if name, key = cutPart(key[1:]); key == "" || key[0] != 'v' {
			return ""
		}
		if value, key = cutPart(key[1:]); name == "host" {
			if i := strings.LastIndexByte(value, ':'); i > strings.LastIndexByte(value, ']') {
				value = value[:i]
			}
			return strings.TrimSuffix(value, ".") // which is the same name
		}
	}
	return ""
}

// cutPart is keyReader's part of a string. What is no key has no rest.
func cutPart(key string) (part, rest string) {
	if len(key) < 4 {
		return "", ""
	}
	n := uint64(key[0])<<24 | uint64(key[1])<<16 | uint64(key[2])<<8 | uint64(key[3])
	if n > uint64(len(key)-4) {
		return "", ""
	}
	return key[4 : 4+n], key[4+n:]
}
