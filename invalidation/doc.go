// Package invalidation knows what an invalidation says and which cached objects it means: the
// language of its items, and an index that answers "does any rule newer than this stamp match this
// object?" fast enough to ask on the hit path. It has never heard of HTTP, of journals or of clocks;
// a rule is an item and a number, an object is a Subject.
//
// # Concept
//
// Nothing is searched for and deleted when an invalidation is accepted. It gets the next number of
// the journal and joins the Index as a rule; an object remembers the number up to which it is known
// to be clean. It is dead iff some rule above that number matches it (law L3). So an invalidation
// costs the same on an empty cache and on a full one, and an object that was being fetched while the
// rule arrived is caught just as well as one that lay on disk.
//
// # The language
//
// An item is one line. What it matches, it matches in all header, cookie and encoding variants.
//
//	/a.png              exact: the object without query string, and nothing else
//	/a.png?v=2          exact: that query variant
//	/images/*           prefix: everything below, at any depth, queries included
//	/a.png*             prefix: a.png with and without queries (and a.png.bak)
//	/*.css              suffix: whatever ends so; "/x.css?v=1" does not
//	/*.css*             wildcard: with any query as well
//	/a/*/b*.js          wildcard anywhere
//	/*?v=1              suffix: everything whose query string is, or ends in "?v=1"
//	#product:shoes      tag: every object that carries it
//
// '*' is any run of characters, the empty one, '/' and '?' included. '?' is no wildcard: it begins the
// query string. Paths are compared byte by byte, in the case and the encoding in which the viewer
// sent them: "/%41" is not "/A", "/images" is not "/images/". Tags are compared without regard to
// case, whole, and '*' is a character of a tag like any other.
//
// Dialects. CloudFront knows only a '*' that ends the item; any other is a literal asterisk. The AWS
// dialect does exactly that. In the Anywhere dialect, the default, every '*' is a wildcard and a
// literal asterisk is written "%2A".
//
// Escapes. A character that must not stand raw in an item is written as its escape. Viewers do send
// some of those characters raw ("?ids[]=1" is everyday), others escape them, in either case of
// hexadecimal digit. An escape of one of
//
//	" < > [ \ ] ^ ` { | }   and, in the Anywhere dialect, *
//
// therefore means the character in each of these spellings. It is the only place where the language
// looks through an encoding, and it can only remove more, never less. All other escapes stand for
// themselves.
//
// Query strings. A Subject carries the part of the query that is in its cache key. An empty query is
// no query: "/a?" is "/a", in items and in objects. Where the cache key has no query at all
// (Subject.QueryIgnored), one object answers for all queries, so an item that names any of them means
// it: the item is cut at its first literal '?', and what is left is compared with the path alone.
// "/a.png?v=2" and "/a.png?*" remove "/a.png" there, "/*.css?v=*" is "/*.css", "/img/*?w=100" is
// "/img/*". A '*' before the cut is compared with the path only; without that, "/*.css" would mean every
// object, for each of them also answers for "?x.css".
//
// Alias. One object may have two paths ("/" and "/index.html"); an item that matches either, matches.
//
// Conditions. Where narrows all items of an invalidation: to objects of some status or class of them, of some content type
// or kind of it, for some host, stored before a time. An object whose key has no host answers for all of them, so a
// condition on the host holds for it whichever is named, as with queries. What is not known yet of an answer on its way, before
// its head has come, holds: a condition leaves out only what is known to be something else. Time is the object's own: when the
// head of the answer, or of the 304 that renewed it, had come, by the clock of the edge that stored it. It goes with the object,
// so neither a restart nor the tier in which the object lies makes a difference.
//
// # Laws
//
//   - L3: Match returns the greatest number above `after` among the rules that match, or 0. It agrees
//     with asking Item.Matches of each rule in turn; the tests hold the index against that, and
//     Item.Matches against regular expressions.
//   - L4: Add only ever adds: what was dead stays dead. Compact drops the rules up to a number; the caller
//     owes the proof that no stored object, and no fill in flight, has a stamp below it. Newest survives
//     Compact, so an object never mistakes a smaller index for an older one.
//   - L9: an item has at most MaxPath bytes, a tag MaxTag. The number of rules is limited by who accepts them.
//
// # The index
//
// An Index is immutable and belongs behind an atomic pointer: readers take no lock, and a reader that
// holds an old one sees a consistent past. Add copies the few nodes on the way to its place and shares
// the rest. Everything is one structure, a radix trie of literal text, in three positions:
//
//	head    anchored at the first byte: exact items, prefixes
//	tail    anchored at the last byte, read backwards: suffixes
//	inner   found anywhere between
//	tags    whole words
//
// A wildcard item is filed under its rarest literal piece, be that its head, its tail or one between: the
// longest piece that few others are filed under. When the piece is seen in an object's path, the whole item
// is compared. One walk over the path from the left answers all exact items, all prefixes and the wildcards
// filed by head; one from the right, suffixes and wildcards filed by tail; and only if some wildcard had no
// better place, one attempt per byte over inner. Each node knows the greatest number below it, so a walk for
// an object that is nearly up to date stops at once: cost follows what is new, not what is there.
//
// An item with a query string is filed a second time, cut, for the objects whose key ignores queries.
//
// Rules about the same item that differ in their conditions stand at the same place: a few in a row, many in a trie by what
// their conditions say (conditional.go). A rule that a newer one covers, being narrowed by no more, goes when that comes.
//
// # Costs
//
// At 10,000 mixed rules (40 % exact, 20 % prefix, 10 % suffix, 20 % wildcard, 10 % tag), on one core of a shared
// server; `go test -bench . ./invalidation` says what yours does:
//
//	Stale, object up to date              3 ns, no allocation
//	Match, all rules newer                0.1 to 0.6 µs, no allocation
//	Match, object with 50 tags            3 µs, no allocation
//	Match, 10,000 conditions on one item  0.1 to 0.7 µs, no allocation
//	the 99th of 100 first checks          1.5 µs, four of ten rules with conditions, while others use the machine
//	Add, one item                         1 to 9 µs, independent of what is cached
//	Compact, half of the rules stay       5 to 12 ms
//	memory                                180 bytes a rule and its text
//
// The worst case is worth knowing: wildcards made of nothing but one-letter pieces ("/*a*b*c*") have no rare
// piece, and an object is then compared with most of them, once (0.3 ms for 10,000: what they have in common from the
// left is compared once); each comparison costs at most the product of both lengths. The same goes for an object whose key has no
// host and for ten thousand hosts, each with a time before it was stored; without the times it is as fast as ever. Tries of nested
// prefixes ("/a", "/aa", "/aaa", …) are as deep as the longest.
//
// # Roads not taken
//
//   - A mutable map under a lock: the hit path would meet the lock, and "what did this request see?" would
//     have no answer.
//   - Layers merged like a log-structured tree: Add is cheaper on average, but each lookup probes every layer,
//     and now and then an Add pays for merging all of them, on the goroutine that applies the journal.
//   - Persistent hash maps for exact items: as deep as the trie, and a second lookup where one walk gives
//     exact and prefix together.
//   - An automaton over all literal pieces (Aho-Corasick): best to match, but built as a whole.
//   - Compact by pruning in place: it would keep the text of dropped rules alive through the labels of the
//     nodes that stay. It builds anew; it is rare and nobody waits for it.
//
// # What it refuses
//
// To guess. A line that is not in the language is an *ItemError with a Reason and a Hint, never a near
// match: no slash is added, no percent sign repaired (Typed does what a person at a console expects, before
// Parse). To select by header or cookie. To decide who may invalidate, how often, or when a rule may go.
package invalidation
