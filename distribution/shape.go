package distribution

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// checkShape walks all of v and refuses what lacks a required member, or whose Quantity is not the
// number of its Items. The model itself says what is required.
func checkShape(v reflect.Value, path string) *Error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return checkShape(v.Elem(), path)
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkShape(v.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
	case reflect.Struct:
		return checkStruct(v, path)
	}
	return nil
}

func checkStruct(v reflect.Value, path string) *Error {
	for _, name := range wire.Required[v.Type().Name()] {
		switch f := v.FieldByName(name); {
		case f.Kind() == reflect.Slice && f.Len() == 0:
			return fail("InvalidArgument", path+"."+name, "it is required: list at least one")
		case f.Kind() != reflect.Slice && f.IsZero():
			return fail("InvalidArgument", path+"."+name, "it is required: add it")
		}
	}
	if err := checkQuantity(v, path); err != nil {
		return err
	}
	for i := range v.NumField() {
		if err := checkShape(v.Field(i), path+"."+v.Type().Field(i).Name); err != nil {
			return err
		}
	}
	return nil
}

func checkQuantity(v reflect.Value, path string) *Error {
	q, items := v.FieldByName("Quantity"), v.FieldByName("Items")
	if !q.IsValid() || !items.IsValid() {
		return nil
	}
	if n, ok := q.Interface().(*int64); !ok || n == nil || *n != int64(items.Len()) {
		return fail("InconsistentQuantities", path+".Quantity", "it is %d, but Items has %d: make them equal",
			wire.Val(n), items.Len())
	}
	return nil
}

// checker collects the first complaint; later ones are not looked at.
type checker struct{ err *Error }

// must records a complaint unless ok.
func (c *checker) must(ok bool, code, field, format string, args ...any) {
	if !ok && c.err == nil {
		c.err = fail(code, field, format, args...)
	}
}

// refuse records that a field asks for what there is not yet.
func (c *checker) refuse(asks bool, code, field, advice string) {
	if asks && c.err == nil {
		c.err = unsupported(code, field, advice)
	}
}

// oneOf demands a value of the model's list, if one was sent.
func (c *checker) oneOf(p *string, values []string, field string) {
	if p == nil {
		return
	}
	for _, v := range values {
		if v == *p {
			return
		}
	}
	c.must(false, "InvalidArgument", field, "%.100q is not one of %s", *p, strings.Join(values, ", "))
}

// between demands a number in a range, if one was sent.
func (c *checker) between(p *int64, low, high int64, code, field string) {
	c.must(p == nil || low <= *p && *p <= high, code, field, "%d is not between %d and %d", wire.Val(p), low, high)
}

// distinct demands that no value comes twice.
func (c *checker) distinct(values []string, fold bool, field string) {
	seen := make(map[string]bool, len(values))
	for _, v := range values {
		k := v
		if fold {
			k = strings.ToLower(v)
		}
		c.must(!seen[k], "InvalidArgument", field, "%q is there twice: remove one", v)
		seen[k] = true
	}
}

func (c *checker) result() error {
	if c.err == nil {
		return nil // an untyped nil: a nil *Error in an error is not nil
	}
	return c.err
}

// only tells whether s consists of letters, digits and the extra characters.
func only(s, extra string) bool {
	for i := range len(s) {
		if !alnum(s[i]) && strings.IndexByte(extra, s[i]) < 0 {
			return false
		}
	}
	return true
}

func alnum(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}

// token tells whether s is a token of RFC 9110 section 5.6.2: a field name, a cookie name.
func token(s string) bool { return s != "" && only(s, "!#$%&'*+-.^_`|~") }

// hostname tells whether s can name a host: labels of letters, digits, hyphens and, as bucket names
// have them, underscores.
func hostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || !only(label, "-_") || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

// visible tells whether s is visible ASCII, without blanks.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
