"""The shape of federation.yaml, domain.yaml and the components: keys, types and what each key is for (editors show it)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, StringConstraints

from polyceph.core.model.access import ROLES_OF_A_DOMAIN, Role
from polyceph.core.policies.naming import NAME_PATTERN

LANGUAGES = ("fr", "nl", "de", "en")
CHANNEL_KINDS = ("ntfy", "teams", "email")
OUTPUT_KINDS = ("postgres", "parquet", "csv", "xlsx")
ROLES = tuple(role.value for role in Role)
DOMAIN_ROLES = tuple(role.value for role in Role if role in ROLES_OF_A_DOMAIN)

Language = Literal["fr", "nl", "de", "en"]
RoleName = Literal["visitor", "consumer", "analyst", "steward", "owner", "engineer", "platform engineer", "dpo", "auditor"]
"""All of them: where one cannot be held is told by a policy, which says why."""
SigningAlgorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Name = Annotated[str, Field(json_schema_extra={"pattern": NAME_PATTERN})]
"""Checked by the naming policy, which explains itself; the pattern is for editors."""
Schedule = Annotated[
    str | None, Field(description="When it runs by itself: a cron expression of five fields, in Europe/Brussels; without it, on demand.")
]


class Form(BaseModel):
    """Base of all forms: an unknown key is refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EnvironmentForm(Form):
    """One environment of the federation."""

    storage: str = Field(
        description="Root of all lakes: a folder relative to the federation, s3://bucket/prefix or az://container/prefix.",
        examples=[".polyceph/lakes", "s3://lakes/wallonia"],
    )


class ChannelForm(Form):
    """One way to reach people."""

    kind: Literal["ntfy", "teams", "email"] = Field(description="How messages are sent.")
    target_env: str = Field(
        description="Name of the environment variable that holds the channel's address.",
        examples=["STEWARDS_NTFY"],
        json_schema_extra={"pattern": "^[A-Z][A-Z0-9_]*$"},
    )


class PersonForm(Form):
    """One person who answers for data."""

    name: str = Field(description="Full name, as colleagues write it.")
    email: str = Field(description="Address at work.", json_schema_extra={"format": "email"})
    left: date | None = Field(default=None, description="First day without this person; from then on somebody else must answer.")


class DomainRoleForm(Form):
    """A role in this domain and who holds it: people of federation.yaml, groups of the sign-in, or both."""

    role: Annotated[RoleName, Field(json_schema_extra={"enum": list(DOMAIN_ROLES)})] = Field(
        description="What they are here; owner and data steward are named by their own keys."
    )
    people: list[str] = Field(default_factory=list, description="Ids of people.", examples=[["anne.dupont"]])
    groups: list[str] = Field(
        default_factory=list,
        description="Groups as the sign-in tells them: names, or object ids of Entra ID.",
        examples=[["pupils-analysts"]],
    )


class RoleForm(Form):
    """A role and who holds it, in one domain or for the federation as a whole."""

    role: Annotated[RoleName, Field(json_schema_extra={"enum": [role for role in ROLES if role != "owner"]})] = Field(
        description="What they are; steward and engineer only in a domain, platform engineer only without."
    )
    domain: Name | None = Field(default=None, description="The domain it is held in; without it, the federation as a whole.")
    people: list[str] = Field(default_factory=list, description="Ids of people.", examples=[["anne.dupont"]])
    groups: list[str] = Field(
        default_factory=list,
        description="Groups as the sign-in tells them: names, or object ids of Entra ID.",
        examples=[["data-protection"]],
    )


class HeadPlaceForm(Form):
    """One place outside the database where signed heads of the journal go: exactly one of folder, git and mail."""

    folder: str | None = Field(default=None, description="A folder on another disk or machine; relative to the federation's.")
    git: str | None = Field(default=None, description="A clone of a git repository; it is committed and pushed.")
    mail: str | None = Field(default=None, description="An address that heads are mailed to, such as the data protection officer's.")
    every_hours: int = Field(default=24, ge=1, description="Least time between two mails.")


class JournalForm(Form):
    """Where the journal shows itself, so that nobody who owns the database can rewrite it unseen."""

    kept_in: list[HeadPlaceForm] = Field(default_factory=list, description="Places outside the database that get signed heads.")


class ProviderForm(Form):
    """One OpenID Connect provider where people sign in; its addresses and keys are found by discovery."""

    issuer: str = Field(
        description="Its issuer, exactly as its discovery document names it; https, except on this machine.",
        examples=["https://login.microsoftonline.com/<tenant>/v2.0", "https://sso.example.org/realms/wallonia"],
    )
    client_id: str = Field(description="Under which id it knows polyceph.", min_length=1)
    client_secret_env: str = Field(
        description="Name of the environment variable that holds the client secret.",
        examples=["SIGN_IN_SECRET"],
        json_schema_extra={"pattern": "^[A-Z][A-Z0-9_]*$"},
    )
    title: dict[str, str] = Field(default_factory=dict, description="What its button says, by language; its name without.")
    scopes: list[str] = Field(default=["openid", "email", "profile"], description="What it is asked for; openid is needed.")
    groups_claim: str = Field(default="groups", description="Claim that holds her groups; a dot leads into it (realm_access.roles).")
    person_claim: str = Field(
        default="email",
        description="Claim that tells which person she is. email counts only when verified; any other must be one that nobody can change"
        " herself, and holds an id or an address of people.",
    )
    algorithms: list[SigningAlgorithm] = Field(default=["RS256", "ES256"], description="How its tokens may be signed.", min_length=1)
    audience: str | None = Field(default=None, description="What access tokens of services are made for; without it none is accepted.")
    hosts: list[str] = Field(default_factory=list, description="Further hosts of its addresses; without, the issuer's alone is asked.")


class SignInForm(Form):
    """How people sign in. Without providers, the local account of this machine."""

    providers: dict[str, ProviderForm] = Field(default_factory=dict, description="Where people sign in, by name.")
    idle_minutes: int = Field(default=60, ge=5, le=1440, description="A session that nobody uses for so long ends.")
    absolute_hours: int = Field(default=10, ge=1, le=168, description="Every session ends after so long.")


class FederationForm(Form):
    """federation.yaml: what all domains share."""

    name: Name = Field(description="Short name of the federation, snake_case.")
    title: dict[str, str] = Field(
        description="Name of the federation in each of its languages.", examples=[{"fr": "Wallonie", "en": "Wallonia"}]
    )
    languages: list[Language] = Field(description="Languages that people read here; the first is the default.", min_length=1)
    environments: dict[str, EnvironmentForm] = Field(description="Environments by name: dev, staging, prod …", min_length=1)
    channels: dict[str, ChannelForm] = Field(default_factory=dict, description="Ways to reach people, by name.")
    people: dict[str, PersonForm] = Field(
        default_factory=dict, description="People who own, steward or stand in, by an id such as anne.dupont."
    )
    roles: list[RoleForm] = Field(
        default_factory=list, description="Who is what, beside the owners and stewards that domains and contracts name."
    )
    sign_in: SignInForm = Field(default=SignInForm(), description="Where people sign in, and how long they stay.")
    journal: JournalForm = Field(default=JournalForm(), description="Where signed heads of the journal are kept outside the database.")


class SourceForm(BaseModel):
    """One source of a domain. The keys besides `connector` are the connector's own options, flat."""

    model_config = ConfigDict(extra="allow", frozen=True)

    connector: str = Field(description="Which connector reads it: files, postgres, …", examples=["files", "postgres"])


class DomainForm(Form):
    """domain.yaml: one domain, its people, its sources and what it reads from others."""

    name: Name = Field(description="Name of the domain: the name of its folder.")
    title: dict[str, str] = Field(description="Name of the domain in each language of the federation.")
    owner: str = Field(description="Data owner: the id of the accountable person (federation.yaml, people).", examples=["anne.dupont"])
    steward: str = Field(description="Data steward: the id of the person who keeps description, quality and classification right.")
    interim_owner: str | None = Field(default=None, description="Id of the person who stands in when the owner has left.")
    contact: str = Field(description="Channel of federation.yaml where the domain is reached.")
    witness: str | None = Field(
        default=None, description="Verifier key by which this domain signs heads of the journal (polyceph journal witness prints it)."
    )
    roles: list[DomainRoleForm] = Field(default_factory=list, description="Who is what in this domain, beside its owner and steward.")
    sources: dict[str, SourceForm] = Field(default_factory=dict, description="Where data comes from, by name.")
    consumes: list[str] = Field(
        default_factory=list,
        description="Datasets of other domains that this one reads, as <domain>.<zone>.<dataset>; zone gold or output.",
        examples=[["data_office.gold.municipalities"]],
    )


class IngestDataset(BaseModel):
    """One raw dataset of an Ingest. The keys besides `name` are the connector's dataset options, flat."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Name = Field(description="Name of the dataset; it becomes <domain>.raw.<name> and needs a contract.")
    load: Literal["append", "diff", "merge"] | None = Field(
        default=None,
        description="How rows join those that are there. append: all of them. diff: the delivery is the whole, only what differs is kept,"
        " and a key that is gone becomes a row with _change removed. merge: the delivery is a list of changes."
        " The last two need a primaryKey in the contract.",
    )
    rejects: NonNegativeInt | Annotated[str, StringConstraints(pattern=r"^\d{1,2}(\.\d+)? ?%$")] = Field(
        default=0,
        description="How many rows of a delivery may be set aside because a value does not fit, a number or a share such as 0.5%; they are"
        " kept as text in _polyceph.reject of the domain's lake. With more the delivery is refused.",
    )


class IngestAttributes(Form):
    """Loads datasets of one source into the zone raw, exactly once."""

    source: str = Field(description="A source of this domain's domain.yaml.")
    schedule: Schedule = None
    datasets: list[IngestDataset] = Field(description="What is loaded from the source.", min_length=1)


class TransformAttributes(Form):
    """Runs a dbt project: models/<zone>/…/<model>.sql becomes <domain>.<zone>.<model>."""

    project: str = Field(
        default="transform", description="Folder of the dbt project, relative to the domain's folder.", examples=["transform"]
    )
    schedule: Schedule = None


class OutputDataset(Form):
    """One gold dataset served outside the lake."""

    name: Name = Field(description="Name of the output; it becomes <domain>.output.<name> and needs a contract.")
    of: str = Field(description="The gold dataset that is served, as gold.<dataset>.", examples=["gold.pupils_by_municipality"])
    to: Literal["postgres", "parquet", "csv", "xlsx"] = Field(
        description="Where to: a table in PostgreSQL (swapped atomically), or a file in the domain's outputs folder."
    )


class OutputAttributes(Form):
    """Serves gold datasets outside the lake."""

    schedule: Schedule = None
    outputs: list[OutputDataset] = Field(description="What is served.", min_length=1)


class ShellAttributes(Form):
    """Runs a command with declared inputs and outputs."""

    name: Name = Field(description="Name of the step.")
    command: list[str] = Field(
        description="The command and its arguments, run in the domain's folder without a shell.",
        min_length=1,
        examples=[["python", "scripts/geocode.py"]],
    )
    reads: list[str] = Field(
        default_factory=list, description="Datasets it reads: <zone>.<dataset>, or <domain>.<zone>.<dataset> of another domain."
    )
    writes: list[str] = Field(description="Datasets of this domain it writes: <zone>.<dataset>, zone bronze, silver or gold.", min_length=1)
    environment: dict[str, str] = Field(default_factory=dict, description="Further environment variables; never a secret.")
    timeout_seconds: int = Field(default=3600, gt=0, description="After this time the command is stopped, in seconds.")
    schedule: Schedule = None


COMPONENT_PREFIX = "polyceph.orchestrate.components."
COMPONENTS: dict[str, type[Form]] = {
    COMPONENT_PREFIX + "Ingest": IngestAttributes,
    COMPONENT_PREFIX + "Transform": TransformAttributes,
    COMPONENT_PREFIX + "Output": OutputAttributes,
    COMPONENT_PREFIX + "Shell": ShellAttributes,
}
"""The component types of polyceph by the name that `type` gives, and the form of their attributes."""
