package invalidation_test

import (
	"fmt"

	"github.com/warmfront/warmfront/invalidation"
)

func Example() {
	var rules *invalidation.Index
	for i, line := range []string{"/images/*", "/*.css", "#product:shoes"} {
		item, err := invalidation.Parse(line, invalidation.Anywhere)
		if err != nil {
			panic(err)
		}
		rules = rules.Add(uint64(4711+i), item)
	}
	object := &invalidation.Subject{Path: "/images/a.png", Query: "w=100", Tags: []string{"product:shoes"}}
	fmt.Println(rules.Match(object, 4710)) // fetched before all three
	fmt.Println(rules.Match(object, 4712)) // between the second and the third
	fmt.Println(rules.Stale(object, 4713)) // after
	// Output:
	// 4713
	// 4713
	// false
}

func ExampleParse() {
	_, err := invalidation.Parse("C:/Program Files/Git/images/*", invalidation.Anywhere)
	fmt.Println(err)
	fmt.Println(err.(*invalidation.ItemError).Hint)
	// Output:
	// invalid item "C:/Program Files/Git/images/*": this is a path of a Windows machine
	// The shell rewrote the path: in Git Bash, set MSYS_NO_PATHCONV=1 and try again.
}
