"""Mixed clips: each is part of the next one of its rank's share, and so is its target."""

from sbtools.methods.base import Method


class Mixing(Method):
    name = "mixing"

    def __init__(self, share: float = 0.3):
        super().__init__()
        self.share, self.mixes = share, share > 0

    def settings(self):
        return {"share": self.share}

    def augment(self, batch, rng):
        if not self.share or not batch["id"]:
            return batch
        kept = 1 - self.share * rng.batch("share").random()
        mixed = {
            name: kept * batch[name] + (1 - kept) * batch[name].roll(-1, 0)
            for name in ("video", "target")
        }
        return {**batch, **mixed}
