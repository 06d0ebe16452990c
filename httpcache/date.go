package httpcache

import (
	"strings"
	"time"
)

// ParseDate reads an HTTP-date in its three forms (RFC 9110 section 5.6.7): IMF-fixdate, RFC 850 and
// asctime. Names compare without regard to case, and a zone other than GMT is invalid (RFC 9111
// section 4.2). A year of two digits that would lie more than 50 years after now is a past one.
// A weekday must be one but need not be the right one: it carries nothing.
func ParseDate(s string, now time.Time) (t time.Time, ok bool) {
	s = trim(s)
	wd, rest, comma := strings.Cut(s, ", ")
	switch {
	case comma && len(rest) == len("06 Nov 1994 08:49:37 GMT") && weekday(wd, 3):
		return fixdate(rest)
	case comma && len(rest) == len("06-Nov-94 08:49:37 GMT") && weekday(wd, 0):
		return rfc850(rest, now)
	case !comma && len(s) == len("Sun Nov  6 08:49:37 1994") && s[3] == ' ' && weekday(s[:3], 3):
		return asctime(s[4:])
	}
	return time.Time{}, false
}

// fixdate reads "06 Nov 1994 08:49:37 GMT".
func fixdate(s string) (time.Time, bool) {
	if s[2] != ' ' || s[6] != ' ' || s[11] != ' ' || !strings.EqualFold(s[20:], " GMT") {
		return time.Time{}, false
	}
	return civil(number(s[7:11]), s[3:6], number(s[:2]), s[12:20])
}

// rfc850 reads "06-Nov-94 08:49:37 GMT".
func rfc850(s string, now time.Time) (time.Time, bool) {
	if s[2] != '-' || s[6] != '-' || s[9] != ' ' || !strings.EqualFold(s[18:], " GMT") {
		return time.Time{}, false
	}
	yy := number(s[7:9])
	if yy < 0 {
		return time.Time{}, false
	}
	year := now.UTC().Year()/100*100 + yy
	t, ok := civil(year, s[3:6], number(s[:2]), s[10:18])
	if ok && t.After(now.AddDate(50, 0, 0)) {
		return civil(year-100, s[3:6], number(s[:2]), s[10:18])
	}
	return t, ok
}

// asctime reads "Nov  6 08:49:37 1994".
func asctime(s string) (time.Time, bool) {
	if s[3] != ' ' || s[6] != ' ' || s[15] != ' ' {
		return time.Time{}, false
	}
	day := s[4:6]
	if day[0] == ' ' {
		day = day[1:]
	}
	return civil(number(s[16:]), s[:3], number(day), s[7:15])
}

const months = "janfebmaraprmayjunjulaugsepoctnovdec"

// civil puts a date together, or refuses one that does not exist. number's -1 falls out here.
func civil(year int, mon string, day int, clock string) (time.Time, bool) {
	m := strings.Index(months, strings.ToLower(mon))
	hour, minute, sec := number(clock[:2]), number(clock[3:5]), number(clock[6:])
	switch {
	case clock[2] != ':' || clock[5] != ':' || len(mon) != 3 || m < 0 || m%3 != 0:
		return time.Time{}, false
	case year < 0 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || sec < 0 || sec > 60:
		return time.Time{}, false
	}
	// A leap second has no time.Time; the second before is the nearest that is not later.
	t := time.Date(year, time.Month(m/3+1), day, hour, minute, min(sec, 59), 0, time.UTC)
	return t, t.Day() == day // 31 June would have become 1 July
}

// number reads a fixed number of digits, -1 if they are not all digits.
func number(s string) int {
	n, ok := digits(s, 1<<20)
	if !ok {
		return -1
	}
	return int(n)
}

// weekday tells whether s is a weekday's name: short by n = 3 letters, in full by n = 0.
func weekday(s string, n int) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		full := d.String()
		if n > 0 {
			full = full[:n]
		}
		if strings.EqualFold(s, full) {
			return true
		}
	}
	return false
}
