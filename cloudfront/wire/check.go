package wire

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// CheckRequired tells whether v, a pointer to a structure that a client sent, has every member that
// the model requires, at every level. The *InputError names all that are missing, as CloudFront does.
func CheckRequired(v any) error {
	var missing []string
	walk(v, func(s reflect.Value, path string) {
		required := Required[s.Type().Name()]
		for _, m := range planOf(s.Type()).members {
			name := s.Type().Field(m.index).Name
			if slices.Contains(required, name) && isEmpty(s.Field(m.index)) {
				missing = append(missing, fmt.Sprintf("Value null at '%s.%s' failed to satisfy constraint: Member must not be null", path, lowerFirst(name)))
			}
		}
	})
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return notXML("1 validation error detected: %s", missing[0])
	}
	return notXML("%d validation errors detected: %s", len(missing), strings.Join(missing, "; "))
}

// CheckQuantities tells whether each Quantity in v, a pointer to a structure that a client sent, is the
// number of the Items beside it.
func CheckQuantities(v any) (err error) {
	walk(v, func(s reflect.Value, path string) {
		quantity, items := s.FieldByName("Quantity"), s.FieldByName("Items")
		if err != nil || !quantity.IsValid() || !items.IsValid() || quantity.IsNil() {
			return
		}
		if q := quantity.Elem().Int(); q != int64(items.Len()) {
			err = &InputError{"InconsistentQuantities", fmt.Sprintf("The value of Quantity and the size of Items do not match: '%s' has Quantity %d and %d items.", path, q, items.Len())}
		}
	})
	return err
}

// walk visits every structure within v that was sent, outermost first, with its path in the model's
// spelling: "distributionConfig.origins.items.1.member".
func walk(v any, visit func(s reflect.Value, path string)) {
	s := reflect.ValueOf(v).Elem()
	walkStructure(s, lowerFirst(s.Type().Name()), visit)
}

func walkStructure(s reflect.Value, path string, visit func(reflect.Value, string)) {
	visit(s, path)
	for _, m := range planOf(s.Type()).members {
		f, inner := s.Field(m.index), path+"."+lowerFirst(s.Type().Field(m.index).Name)
		switch {
		case isEmpty(f):
		case m.item != "" && isStructure(f.Type().Elem()):
			for i := range f.Len() {
				walkStructure(f.Index(i), fmt.Sprintf("%s.%d.member", inner, i+1), visit)
			}
		case f.Kind() == reflect.Pointer && isStructure(f.Type().Elem()):
			walkStructure(f.Elem(), inner, visit)
		}
	}
}

// isEmpty tells that a member was not sent. An empty list cannot be told from none.
func isEmpty(f reflect.Value) bool {
	return f.IsNil() || f.Kind() == reflect.Slice && f.Type() != blobType && f.Len() == 0
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
