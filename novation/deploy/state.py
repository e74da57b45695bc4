"""What of a plan is done already, read from the chain."""

from collections.abc import Iterable

from novation.chain import Chain, ContractError
from novation.deploy.addresses import CREATE2_DEPLOYER
from novation.deploy.errors import NoCreate2Deployer, OutsideWorldDiffers
from novation.deploy.steps import Drift, Fact, How, Plan, Step


def drifts_of(chain: Chain, facts: Iterable[Fact], block: int | str = "latest") -> list[Drift]:
    wanted = list(facts)
    found = chain.try_batch([fact.call for fact in wanted], block)
    return [d for fact, value in zip(wanted, found, strict=True) for d in fact.drifts(value)]


def is_done(chain: Chain, step: Step) -> bool:
    if step.creation is not None:
        return bool(chain.code(step.creation.address))
    return not drifts_of(chain, step.facts)


def done_steps(chain: Chain, plan: Plan) -> set[str]:
    """Names of the steps that need no transaction."""
    made = [s for s in plan.steps if s.creation is not None]
    codes = chain.codes([s.creation.address for s in made if s.creation is not None])
    done = {step.name for step, code in zip(made, codes, strict=True) if code}
    calls = [s for s in plan.steps if s.creation is None]
    answers = chain.try_batch([fact.call for step in calls for fact in step.facts])
    position = 0
    for step in calls:
        found = answers[position : position + len(step.facts)]
        position += len(step.facts)
        pairs = zip(step.facts, found, strict=True)
        if not any(True for fact, value in pairs for _ in fact.drifts(value)):
            done.add(step.name)
    return done


def check_outside(chain: Chain, plan: Plan) -> None:
    """The deployment's assumptions of the network: refused before anything is sent."""
    if not chain.code(CREATE2_DEPLOYER):
        raise NoCreate2Deployer(chain.where, CREATE2_DEPLOYER)
    codes = chain.codes(list(plan.external.values()))
    for (name, address), code in zip(plan.external.items(), codes, strict=True):
        if not code:
            raise OutsideWorldDiffers(f"{name}: {chain.where} has no contract at {address}")
    if drifts := drifts_of(chain, plan.outside):
        raise OutsideWorldDiffers("\n".join(map(str, drifts)))


def explain(chain: Chain, deployer: str, step: Step, error: ContractError) -> ContractError:
    """The CREATE2 deployer swallows a constructor's reason: ask again without it."""
    if step.creation is not None and step.creation.how is How.CREATE2:
        wanted = {"from": deployer, "data": "0x" + step.creation.init_code.hex()}
        try:
            chain.request("eth_call", wanted, "latest")
        except ContractError as reason:
            return ContractError(reason.name, reason.arguments, step.name)
    return error
