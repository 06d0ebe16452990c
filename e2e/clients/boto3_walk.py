"""The API through boto3: every operation that is built, with its errors and its read-back."""
import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

cf = boto3.client("cloudfront", config=Config(retries={"max_attempts": 1}))
checks = 0


def check(ok, what):
    global checks
    checks += 1
    if not ok:
        sys.exit(f"boto3: {what}")


def refused(code, call, **args):
    try:
        call(**args)
    except ClientError as e:
        check(e.response["Error"]["Code"] == code, f"{call.__name__}: {e} is not {code}")
        return e
    sys.exit(f"boto3: {call.__name__} should have answered {code}")


def config(ref, **more):
    c = {
        "CallerReference": ref, "Comment": "boto3", "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "localhost", "CustomOriginConfig": {
            "HTTPPort": 8090, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}}]},
        "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all",
                                 "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"},
    }
    c.update(more)
    return c


def deployed(id):
    cf.get_waiter("distribution_deployed").wait(Id=id, WaiterConfig={"Delay": 1, "MaxAttempts": 20})


# Distributions: create, read back, update unchanged, stale ETag, tags, copy, delete.
d = cf.create_distribution(DistributionConfig=config("boto-1"))
id, etag = d["Distribution"]["Id"], d["ETag"]
check(d["ResponseMetadata"]["HTTPStatusCode"] == 201 and d["Location"].endswith(id), "create answers 201 with Location")
deployed(id)
got = cf.get_distribution_config(Id=id)
check(got["ETag"] == cf.get_distribution(Id=id)["ETag"], "both reads give one ETag")
back = cf.update_distribution(Id=id, IfMatch=got["ETag"], DistributionConfig=got["DistributionConfig"])
check(back["Distribution"]["DistributionConfig"] == got["DistributionConfig"], "what Get gives is accepted unchanged and compares equal")
refused("PreconditionFailed", cf.update_distribution, Id=id, IfMatch="E1AAAAAAAAAAAA", DistributionConfig=got["DistributionConfig"])
refused("InvalidIfMatchVersion", cf.update_distribution, Id=id, DistributionConfig=got["DistributionConfig"])
refused("NoSuchDistribution", cf.get_distribution, Id="E00000000000AA")
refused("DistributionAlreadyExists", cf.create_distribution, DistributionConfig=config("boto-1", Comment="another"))
bad = config("boto-bad")
bad["DefaultCacheBehavior"]["TargetOriginId"] = "nowhere"
refused("NoSuchOrigin", cf.create_distribution, DistributionConfig=bad)
arn = d["Distribution"]["ARN"]
cf.tag_resource(Resource=arn, Tags={"Items": [{"Key": "team", "Value": "web"}, {"Key": "Name", "Value": "boto"}]})
cf.untag_resource(Resource=arn, TagKeys={"Items": ["team"]})
check(cf.list_tags_for_resource(Resource=arn)["Tags"]["Items"] == [{"Key": "Name", "Value": "boto"}], "tags come and go")
copy = cf.copy_distribution(PrimaryDistributionId=id, CallerReference="boto-copy", IfMatch=cf.get_distribution(Id=id)["ETag"], Enabled=False)
deployed(copy["Distribution"]["Id"])
cf.delete_distribution(Id=copy["Distribution"]["Id"], IfMatch=copy["ETag"])
refused("NoSuchDistribution", cf.get_distribution, Id=copy["Distribution"]["Id"])

# Origin groups: what is sent is read back, and refused with CloudFront's codes.
group = {"Id": "g", "FailoverCriteria": {"StatusCodes": {"Quantity": 3, "Items": [500, 404, 503]}},
         "Members": {"Quantity": 2, "Items": [{"OriginId": "o"}, {"OriginId": "p"}]}, "SelectionCriteria": "default"}


def grouped(ref, **more):
    c = config(ref)
    c["Origins"] = {"Quantity": 2, "Items": [c["Origins"]["Items"][0], dict(c["Origins"]["Items"][0], Id="p", OriginPath="/p")]}
    c["OriginGroups"] = {"Quantity": 1, "Items": [dict(group, **more)]}
    c["DefaultCacheBehavior"]["TargetOriginId"] = "g"
    return c


g = cf.create_distribution(DistributionConfig=grouped("boto-group"))["Distribution"]
gotten = cf.get_distribution_config(Id=g["Id"])
check(gotten["DistributionConfig"]["OriginGroups"] == {"Quantity": 1, "Items": [group]}, "an origin group is read back as sent")
back = cf.update_distribution(Id=g["Id"], IfMatch=gotten["ETag"], DistributionConfig=gotten["DistributionConfig"])
check(back["Distribution"]["DistributionConfig"] == gotten["DistributionConfig"], "a configuration with a group is accepted unchanged")
refused("NoSuchOrigin", cf.create_distribution, DistributionConfig=grouped(
    "boto-g1", Members={"Quantity": 2, "Items": [{"OriginId": "o"}, {"OriginId": "nowhere"}]}))
refused("InvalidArgument", cf.create_distribution, DistributionConfig=grouped("boto-g2", Members={"Quantity": 2, "Items": [{"OriginId": "o"}, {"OriginId": "o"}]}))
refused("InvalidArgument", cf.create_distribution, DistributionConfig=grouped("boto-g3", SelectionCriteria="media-quality-based"))
refused("InconsistentQuantities", cf.create_distribution, DistributionConfig=grouped(
    "boto-g4", FailoverCriteria={"StatusCodes": {"Quantity": 2, "Items": [500]}}))
wide = grouped("boto-g5")
wide["DefaultCacheBehavior"]["AllowedMethods"] = {"Quantity": 7, "Items": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]}
check("associated with an origin group" in str(refused("InvalidArgument", cf.create_distribution, DistributionConfig=wide)), "CloudFront's words")

# Pagination, all the way through the SDK's own paginator.
made = [cf.create_distribution(DistributionConfig=config(f"boto-page-{i}"))["Distribution"]["Id"] for i in range(5)]
pages = list(cf.get_paginator("list_distributions").paginate(PaginationConfig={"PageSize": 2}))
listed = [x["Id"] for p in pages for x in p["DistributionList"].get("Items", [])]
check(len(listed) == len(set(listed)) and set(made) <= set(listed) and len(pages) >= 3, "every distribution is on exactly one page")

# Invalidations: idempotent reference, order, statuses, pages.
paths = {"Quantity": 2, "Items": ["/a/*", "/b.css"]}
one = cf.create_invalidation(DistributionId=id, InvalidationBatch={"Paths": paths, "CallerReference": "r1"})
check(one["ResponseMetadata"]["HTTPStatusCode"] == 201, "an invalidation is created with 201")
again = cf.create_invalidation(DistributionId=id, InvalidationBatch={"Paths": {"Quantity": 2, "Items": ["/b.css", "/a/*"]}, "CallerReference": "r1"})
check(again["Invalidation"]["Id"] == one["Invalidation"]["Id"], "the same reference gives the same invalidation")
refused("InvalidationBatchAlreadyExists", cf.create_invalidation, DistributionId=id,
        InvalidationBatch={"Paths": {"Quantity": 1, "Items": ["/c"]}, "CallerReference": "r1"})
refused("InvalidArgument", cf.create_invalidation, DistributionId=id,
        InvalidationBatch={"Paths": {"Quantity": 1, "Items": ["no-slash"]}, "CallerReference": "r2"})
began = time.monotonic()
cf.get_waiter("invalidation_completed").wait(DistributionId=id, Id=one["Invalidation"]["Id"])
check(time.monotonic() - began < 20, "the waiter returns at its first poll")
for i in range(4):
    cf.create_invalidation(DistributionId=id, InvalidationBatch={"Paths": {"Quantity": 1, "Items": [f"/{i}"]}, "CallerReference": f"p{i}"})
listed = [x["Id"] for p in cf.get_paginator("list_invalidations").paginate(DistributionId=id, PaginationConfig={"PageSize": 2})
          for x in p["InvalidationList"].get("Items", [])]
check(len(listed) == 5 and listed[-1] == one["Invalidation"]["Id"], "newest first, each once")
refused("NoSuchInvalidation", cf.get_invalidation, DistributionId=id, Id="I0000000000000")

# Policies.
managed = {p["CachePolicy"]["CachePolicyConfig"]["Name"]: p["CachePolicy"]["Id"]
           for p in cf.list_cache_policies(Type="managed")["CachePolicyList"]["Items"]}
check(managed["Managed-CachingOptimized"] == "658327ea-f89d-4fab-a63d-7e88639e58f6", "managed policies have AWS's ids")
policy = {"Name": "boto", "MinTTL": 0, "DefaultTTL": 60, "MaxTTL": 600, "ParametersInCacheKeyAndForwardedToOrigin": {
    "EnableAcceptEncodingGzip": False, "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": {"Quantity": 1, "Items": ["X-Lang"]}},
    "CookiesConfig": {"CookieBehavior": "none"}, "QueryStringsConfig": {"QueryStringBehavior": "all"}}}
p = cf.create_cache_policy(CachePolicyConfig=policy)
pid = p["CachePolicy"]["Id"]
refused("CachePolicyAlreadyExists", cf.create_cache_policy, CachePolicyConfig=policy)
cur = cf.get_distribution_config(Id=id)
cur["DistributionConfig"]["DefaultCacheBehavior"]["CachePolicyId"] = pid
used = cf.update_distribution(Id=id, IfMatch=cur["ETag"], DistributionConfig=cur["DistributionConfig"])
check(cf.list_distributions_by_cache_policy_id(CachePolicyId=pid)["DistributionIdList"]["Items"] == [id], "who uses a policy is known")
refused("CachePolicyInUse", cf.delete_cache_policy, Id=pid, IfMatch=p["ETag"])
changed = cf.update_cache_policy(Id=pid, IfMatch=p["ETag"], CachePolicyConfig={**policy, "DefaultTTL": 61})
check(cf.get_distribution(Id=id)["ETag"] != used["ETag"], "a change of its policy changes the distribution's ETag")
refused("IllegalDelete", cf.delete_cache_policy, Id=managed["Managed-CachingOptimized"], IfMatch="E1AAAAAAAAAAAA")
orp = cf.create_origin_request_policy(OriginRequestPolicyConfig={"Name": "boto", "HeadersConfig": {"HeaderBehavior": "none"},
      "CookiesConfig": {"CookieBehavior": "all"}, "QueryStringsConfig": {"QueryStringBehavior": "all"}})
check(cf.get_origin_request_policy_config(Id=orp["OriginRequestPolicy"]["Id"])["ETag"] == orp["ETag"], "ORP read-back")
cf.delete_origin_request_policy(Id=orp["OriginRequestPolicy"]["Id"], IfMatch=orp["ETag"])
refused("NoSuchOriginRequestPolicy", cf.get_origin_request_policy, Id=orp["OriginRequestPolicy"]["Id"])

# What is not built says so.
refused("NotImplemented", cf.list_functions)

# Leave nothing behind.
for x in [id, *made]:
    c = cf.get_distribution_config(Id=x)
    c["DistributionConfig"]["Enabled"] = False
    e = cf.update_distribution(Id=x, IfMatch=c["ETag"], DistributionConfig=c["DistributionConfig"])["ETag"]
    deployed(x)
    cf.delete_distribution(Id=x, IfMatch=e)
cf.delete_cache_policy(Id=pid, IfMatch=changed["ETag"])
print(f"boto3 {boto3.__version__}: {checks} checks passed")
