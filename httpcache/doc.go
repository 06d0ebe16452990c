// Package httpcache knows the law of HTTP caching: whether an answer may be stored, how long it is
// fresh, when it may be served stale, what a conditional or a range request gets from it, and how a
// 304 renews it. It is RFC 9111 and the parts of RFC 9110 that a cache needs (sections 13 and 14),
// as pure functions: no clock, no I/O; now is an argument.
//
// # Two laws
//
// With RFC semantics it is the RFC's law for a shared cache, to the letter: strict.go, targeted.go, wishes.go
// and variant.go; model_test.go has it once more, slow and simple, and is compared with it. With CloudFront
// semantics, the default, CloudFront's documented behaviour counts where it differs:
//
//   - A behavior's minimum, default and maximum TTL frame what the origin says (TTL, Store). With a
//     minimum above zero even no-store, private and no-cache are kept for that minimum.
//   - Errors have their own table: some are kept always, some only with max-age, and each for at
//     least the error caching minimum.
//   - Cache-Control and Pragma of requests have no say.
//   - Vary does not make variants; the behavior's cache key does. Only "Vary: *" is heeded.
//   - A stale object answers for a failing origin unless the origin has forbidden it.
//
// docs/semantics.md has both side by side.
//
// # Time
//
// Two clocks are never compared where it can be avoided. A lifetime given in seconds counts from the
// arrival of the answer, less the origin's own Age field, so that a chain of caches does not add up
// lifetimes. The Date field does not shorten it: an origin whose clock is wrong would otherwise never
// be cached (with RFC semantics it does, as section 4.2.3 says). Expires is a point in time and has to
// be read with clocks: it counts as that section says, which is the lesser of Expires − now and Expires − Date. The behavior's own TTLs
// count from arrival. Age as told to viewers is the origin's Age plus the time spent here.
//
// # No
//
// Each refusal has a named reason: NoStoreReason, StaleVerdict, Use, AgeVerdict, RangeVerdict. They end up in logs,
// metrics and explanations, so that "why is this not cached?" has an answer.
//
// The package never decides what an object's death by invalidation means, and never touches bytes of
// a body; that is for edge.
package httpcache
