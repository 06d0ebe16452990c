// Package mistake knows which rule of the protocol this process leaves out on purpose: none, but in a build with the tag "planted",
// which is for tests that prove that the mistake would be found. In any other build the compiler drops what stands behind it.
package mistake

// A Name is what a mistake is called. Those that a package can make are listed beside the rules that it keeps.
type Name string
