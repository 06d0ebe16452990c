package distribution

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Switches that CloudFront has no field for are tags, so that every AWS tool can set them.
const (
	tagPrefix      = "warmfront:"
	TagWildcards   = "warmfront:wildcards"   // how a "*" that is not last is read in an invalidation
	TagSemantics   = "warmfront:semantics"   // whose rules say what is cached, and for how long
	TagCompression = "warmfront:compression" // with which codings behaviors that compress do it
	TagTargeted    = "warmfront:targeted"    // whether an origin can speak to this cache alone
	TagPurge       = "warmfront:purge"       // whether edges take the method PURGE

	TagIsolation = "warmfront:isolation" // what an edge does that has lost the journal

	// TagInvalidationMode is what invalidations do that do not say so themselves, as CloudFront's API has no word for it.
	TagInvalidationMode = "warmfront:invalidation-mode"

	WildcardsAnywhere = "anywhere" // as a wildcard; the default
	WildcardsAWS      = "aws"      // as a literal asterisk, as CloudFront does

	SemanticsCloudFront = "cloudfront" // CloudFront's; the default
	SemanticsRFC        = "rfc"        // RFC 9111's for a shared cache, to the letter

	CompressionCloudFront = "cloudfront" // Brotli and gzip, as the cache policy says; the default
	CompressionZstd       = "zstd"       // where it says one of them, also Zstandard, before the others

	TargetedIgnored = "ignored" // CDN-Cache-Control and Surrogate-Control say nothing; the default with CloudFront's rules
	TargetedHeeded  = "heeded"  // one of them silences Cache-Control and Expires; the default with the RFC's

	InvalidationRemove = "remove" // what they match is never shown again; the default
	InvalidationStale  = "stale"  // it is shown while it is being revalidated

	IsolationRevalidate = "revalidate"  // asks the origin whether what it has is still good; the default
	IsolationBypass     = "bypass"      // goes past its cache
	IsolationFail       = "fail"        // answers nothing
	IsolationServeStale = "serve-stale" // goes on as if nothing had been invalidated, which may not be so

	PurgeOff   = "off"   // they refuse it, as any method that is not allowed; the default
	PurgeOn    = "on"    // from whoever shows an access key that may invalidate, by https or from the same machine
	PurgePlain = "plain" // by plain HTTP too, although the key can be read on the way
)

const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// switches lists what each switch can be set to.
var switches = map[string][]string{
	TagWildcards:        {WildcardsAnywhere, WildcardsAWS},
	TagSemantics:        {SemanticsCloudFront, SemanticsRFC},
	TagCompression:      {CompressionCloudFront, CompressionZstd},
	TagTargeted:         {TargetedIgnored, TargetedHeeded},
	TagPurge:            {PurgeOff, PurgeOn, PurgePlain},
	TagInvalidationMode: {InvalidationRemove, InvalidationStale},
	TagIsolation:        {IsolationRevalidate, IsolationBypass, IsolationFail, IsolationServeStale},
}

// ValidateTags checks all tags of a distribution together, as they are after a change.
func ValidateTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return fail("InvalidTagging", "Tags", "a distribution can have %d tags, this would be %d: remove some", maxTags, len(tags))
	}
	keys := make([]string, 0, len(tags))
	for k := range tags {
		keys = append(keys, k)
	}
	slices.Sort(keys) // the same tags always meet the same complaint
	for _, k := range keys {
		if err := validateTag(k, tags[k]); err != nil {
			return err
		}
	}
	return nil
}

func validateTag(key, value string) error {
	switch n := utf8.RuneCountInString(key); {
	case n < 1 || n > maxTagKey:
		return fail("InvalidTagging", "Tags", "the key %.140q has %d characters: use 1 to %d", key, n, maxTagKey)
	case utf8.RuneCountInString(value) > maxTagValue:
		return fail("InvalidTagging", "Tags", "the value of %q is longer than %d characters: shorten it", key, maxTagValue)
	case !tagText(key) || !tagText(value):
		return fail("InvalidTagging", "Tags", "the tag %q=%q has a character other than letters, digits, blanks and _.:/=+-@", key, value)
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return fail("InvalidTagging", "Tags", "the key %q begins with \"aws:\", which is reserved: choose another", key)
	}
	if !strings.HasPrefix(strings.ToLower(key), tagPrefix) {
		return nil
	}
	allowed, ok := switches[key]
	if !ok {
		return fail("InvalidTagging", "Tags", "Warmfront has no switch %q: remove the tag, or use one of %s", key,
			strings.Join(slices.Sorted(maps.Keys(switches)), ", "))
	}
	if !slices.Contains(allowed, value) {
		return fail("InvalidTagging", "Tags", "the switch %q cannot be %q: use one of %s", key, value, strings.Join(allowed, ", "))
	}
	return nil
}

func tagText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Zs, r) && !strings.ContainsRune("_.:/=+-@", r)
	}) < 0
}
