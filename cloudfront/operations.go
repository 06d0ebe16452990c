package cloudfront

import "context"

// operation carries out one call that has been admitted.
type operation func(ctx context.Context, c *call) (*result, error)

// operations are those that are built; wire.Operations lists all that there are.
var operations = map[string]operation{
	"CreateDistribution":         createDistribution,
	"CreateDistributionWithTags": createDistributionWithTags,
	"CopyDistribution":           copyDistribution,
	"GetDistribution":            getDistribution,
	"GetDistributionConfig":      getDistributionConfig,
	"UpdateDistribution":         updateDistribution,
	"DeleteDistribution":         deleteDistribution,

	"ListDistributions":                          listDistributions,
	"ListDistributionsByCachePolicyId":           listByCachePolicy,
	"ListDistributionsByOriginRequestPolicyId":   listByOriginRequestPolicy,
	"ListDistributionsByResponseHeadersPolicyId": listByResponseHeadersPolicy,
	"ListDistributionsByKeyGroup":                listByKeyGroup,
	"ListDistributionsByVpcOriginId":             listByVpcOrigin,
	"ListDistributionsByWebACLId":                listByWebACL,
	"ListDistributionsByAnycastIpListId":         listByAnycastIPList,
	"ListDistributionsByConnectionMode":          listByConnectionMode,
	"ListDistributionsByConnectionFunction":      listByConnectionFunction,
	"ListDistributionsByTrustStore":              listByTrustStore,
	"ListDistributionsByRealtimeLogConfig":       listByRealtimeLogConfig,
	"ListDistributionsByOwnedResource":           listByOwnedResource,

	"CreateInvalidation": createInvalidation,
	"GetInvalidation":    getInvalidation,
	"ListInvalidations":  listInvalidations,

	"CreateCachePolicy":    createCachePolicy,
	"GetCachePolicy":       getCachePolicy,
	"GetCachePolicyConfig": getCachePolicyConfig,
	"ListCachePolicies":    listCachePolicies,
	"UpdateCachePolicy":    updateCachePolicy,
	"DeleteCachePolicy":    deleteCachePolicy,

	"CreateOriginRequestPolicy":    createOriginRequestPolicy,
	"GetOriginRequestPolicy":       getOriginRequestPolicy,
	"GetOriginRequestPolicyConfig": getOriginRequestPolicyConfig,
	"ListOriginRequestPolicies":    listOriginRequestPolicies,
	"UpdateOriginRequestPolicy":    updateOriginRequestPolicy,
	"DeleteOriginRequestPolicy":    deleteOriginRequestPolicy,

	"TagResource":         tagResource,
	"UntagResource":       untagResource,
	"ListTagsForResource": listTags,
}
