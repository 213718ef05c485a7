"""The guards at the root fields of Dagster's interface: they run where graphql executes a field, on its coerced arguments.

Aliases, fragments, variables, directives and transports make no difference there: whatever is executed passes here.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from dagster_graphql.schema.errors import GraphenePythonError, GrapheneUnauthorizedError
from dagster_shared.error import SerializableErrorInfo
from graphql import GraphQLError, GraphQLField, GraphQLResolveInfo, GraphQLSchema, GraphQLUnionType, get_named_type

from polyceph.core.model.access import Action
from polyceph.gateway.fields import MUTATIONS, QUERIES, SUBSCRIPTIONS, Rule
from polyceph.gateway.narrowing import narrowed
from polyceph.gateway.sight import Doors, Sight
from polyceph.gateway.stamps import StampedRuns, purpose_of, without_spoofed
from polyceph.gateway.subjects import Arguments, Facts
from polyceph.gateway.verdicts import Asked, NotRecorded, Verdict, judge, record_asked, record_ended
from polyceph.gateway.workspace import PersonalContext
from polyceph.logs import log

FORBIDDEN = "FORBIDDEN"
NOT_RECORDED = "NOT_RECORDED"


def guard(schema: GraphQLSchema, doors: Doors) -> None:
    """Put a guard before every root field of the schema, in place."""
    for name, field in schema.mutation_type.fields.items() if schema.mutation_type else ():
        field.resolve = _changing(name, field, MUTATIONS[name], doors)
    for name, field in schema.query_type.fields.items() if schema.query_type else ():
        field.resolve = _reading(name, field, QUERIES[name])
    for name, field in schema.subscription_type.fields.items() if schema.subscription_type else ():
        field.subscribe = _following(name, field, SUBSCRIPTIONS[name])


def _changing(name: str, field: GraphQLField, rule: Rule, doors: Doors) -> Callable[..., Any]:
    resolve, refusal = field.resolve, _refusal(field)

    def resolver(root: Any, info: GraphQLResolveInfo, **given: Any) -> Any:
        context: PersonalContext = info.context
        arguments = _named(field, given)
        # decided anew: what was decided at the beginning of the request may be over
        sight = Sight(doors, context.principal, context.whole.code_location_entries)
        verdict = judge(rule, arguments, sight, _facts(context))
        asked = Asked(context.principal, name, context.request, purpose_of(arguments))
        try:
            record_asked(doors, asked, verdict, arguments)
        except Exception as error:
            log.error("a change by %s could not be recorded: %s", name, type(error).__name__)
            raise GraphQLError(str(NotRecorded(error)), extensions={"code": NOT_RECORDED}) from error
        if not verdict.allowed:
            return refusal(verdict)
        without_spoofed(arguments, context.principal)
        acting = _acting(context, asked)
        result = resolve(root, info._replace(context=acting), **given) if resolve else None
        return _awaited(result, lambda answer: _ended(doors, asked, verdict, answer))

    return resolver


def _reading(name: str, field: GraphQLField, rule: Rule) -> Callable[..., Any]:
    resolve, refusal = field.resolve, _refusal(field)

    def resolver(root: Any, info: GraphQLResolveInfo, **given: Any) -> Any:
        context: PersonalContext = info.context
        verdict = judge(rule, _named(field, given), context.sight, _facts(context))
        if not verdict.allowed:
            return refusal(verdict)
        result = resolve(root, info, **narrowed(name, given, context.sight)) if resolve else None
        return _awaited(result, _stripped)

    return resolver


def _following(name: str, field: GraphQLField, rule: Rule) -> Callable[..., Any]:
    subscribe = field.subscribe

    async def subscriber(root: Any, info: GraphQLResolveInfo, **given: Any) -> AsyncIterator[Any]:
        context: PersonalContext = info.context
        verdict = judge(rule, _named(field, given), context.sight, _facts(context))
        if not verdict.allowed:
            raise GraphQLError(verdict.reason, extensions={"code": FORBIDDEN})
        source = subscribe(root, info, **given) if subscribe else None
        if inspect.isawaitable(source):
            source = await source
        return _seen(source, context) if name == "locationStateChangeEvents" else source  # type: ignore[return-value]

    return subscriber


async def _seen(source: Any, context: PersonalContext) -> AsyncIterator[Any]:
    """Yield what happens to the locations that may be seen."""
    async for one in source:
        if context.sight.may(Action.DATASET_DESCRIBE, one.event.location_name):
            yield one


def _acting(context: PersonalContext, asked: Asked) -> PersonalContext:
    """Return the context in which an allowed change runs: on the instance as it is, and every run it makes is stamped."""
    acting = context.acting()
    instance = copy.copy(acting.instance)
    instance.__dict__.pop("run_domain", None)
    instance.__dict__["_run_storage"] = StampedRuns(context.real_instance.run_storage, asked.principal, asked.purpose)
    acting.use(instance)
    return acting


def _ended(doors: Doors, asked: Asked, verdict: Verdict, answer: Any) -> Any:
    try:
        record_ended(doors, asked, verdict, _name_of(answer), _runs_of(answer))
    except Exception as error:  # noqa: BLE001 - the change is made, and that it was asked for is recorded
        log.error("how a change by %s ended could not be recorded: %s", asked.field, type(error).__name__)
    return _stripped(answer)


def _name_of(answer: Any) -> str:
    meta = getattr(type(answer), "_meta", None)
    return str(meta.name) if meta else type(answer).__name__


def _runs_of(answer: Any) -> Iterator[str]:
    for one in getattr(answer, "launchMultipleRunsResult", None) or (answer,):
        run = getattr(one, "run", None)
        if run is not None and hasattr(run, "run_id"):
            yield str(run.run_id)
    yield from (str(one) for one in getattr(answer, "launched_run_ids", None) or ())


def _refusal(field: GraphQLField) -> Callable[[Verdict], Any]:
    """Return how a refusal of this field is said: in the schema's own words where it has them."""
    kind = get_named_type(field.type)
    if isinstance(kind, GraphQLUnionType) and any(one.name == "UnauthorizedError" for one in kind.types):
        return lambda verdict: GrapheneUnauthorizedError(verdict.reason)  # type: ignore[no-untyped-call]

    def refuse(verdict: Verdict) -> Any:
        raise GraphQLError(verdict.reason, extensions={"code": FORBIDDEN})

    return refuse


def _named(field: GraphQLField, given: Mapping[str, Any]) -> Arguments:
    """Return the arguments by the names that the schema gives them: resolvers get Python's."""
    return {name: given[out] for name, one in field.args.items() if (out := one.out_name or name) in given}


def _facts(context: PersonalContext) -> Facts:
    return Facts(context.whole, context.real_instance, context.instigators, context.stored_run)


def _awaited(result: Any, then: Callable[[Any], Any]) -> Any:
    if not inspect.isawaitable(result):
        return then(result)

    async def wait() -> Any:
        return then(await result)

    return wait()


def _stripped(answer: Any) -> Any:
    """Return the answer; of an error of the platform's own process the messages without the stack."""
    if not isinstance(answer, GraphenePythonError):
        return answer
    return GraphenePythonError(without_stack(answer._error_info))  # type: ignore[no-untyped-call]  # noqa: SLF001


def without_stack(error: SerializableErrorInfo) -> SerializableErrorInfo:
    """Return an error with what it says and without where in the code it was."""
    cause = without_stack(error.cause) if error.cause else None
    context = without_stack(error.context) if error.context else None
    return SerializableErrorInfo(error.message, [], error.cls_name, cause, context)
