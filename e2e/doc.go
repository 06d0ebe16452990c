// Package e2e knows the product from outside: it starts the built binary, programs origins of its
// own, and tells stories in a small language. Each file in testdata is one story:
//
//	start
//	origin o1 GET /img/a.png -> 200 'Cache-Control: max-age=3600' v1
//	distribution d origin=o1
//	get e1 /img/a.png -> 200 miss v1
//	get e1 /img/a.png -> 200 hit v1
//	origin o1 GET /img/a.png -> 200 'Cache-Control: max-age=3600' v2
//	invalidate d /img/*
//	completed
//	get e1 /img/a.png -> 200 miss v2
//
// The verbs are described in README.md of this folder; verbs_test.go implements them.
package e2e
