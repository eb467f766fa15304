"""The options of the peer SDK's commands, as people know them: each has an effect here or is refused in clear words."""

from __future__ import annotations

from typing import Final

OPTIONS: Final = {
    "": "--version --endpoint --insecure --image-builder --builder --auth-type -v --verbose --org -c --config "
    "--output-format -of --log-format --user-log-level --reset-root-logger --no-progress",
    "abort action": "--reason",
    "abort run": "--reason",
    "build": "--copy-style --root-dir --recursive -r --all --ignore-load-errors -i",
    "create config": "--devbox --endpoint --insecure --org -o --output --force --image-builder --builder --registry "
    "--auth-type --local-persistence --local-tracked",
    "create project": "--id --name --description --label -l",
    "create secret": "--value --from-file --type --from-docker-config --docker-config-path --registries --registry "
    "--username --password --cluster-pool",
    "create trigger": "--schedule --description --auto-activate --trigger-time-var",
    "delete local-cache": "",
    "delete secret": "--cluster-pool",
    "delete trigger": "",
    "deploy": "--version --dry-run --dryrun --copy-style --root-dir --recursive -r --all --ignore-load-errors -i "
    "--no-sync-local-sys-paths --image",
    "gen docs": "--type",
    "get action": "--in-phase",
    "get code": "--dest -o --no-extract --attempt -a",
    "get condition": "",
    "get config": "",
    "get io": "--inputs-only -i --outputs-only -o",
    "get logs": "--lines -l --show-ts --pretty --attempt -a --filter-system",
    "get project": "--archived",
    "get run": "--limit --in-phase --only-mine --paused-only --task-name --task-version --created-after "
    "--created-before --updated-after --updated-before --with-label --with-label-key",
    "get secret": "--cluster-pool",
    "get task": "--limit --entrypoint",
    "get trigger": "--limit",
    "rerun": "--name -e --env --label --follow -f --recover --action-name --force-rerun-action --allow-missing-outputs",
    "run": "--local --copy-style --version --root-dir --raw-data-path --service-account --name --follow -f --tui "
    "--tracked --tracked-strict --image --no-sync-local-sys-paths --run-project --run-domain --debug --env -e "
    "--max-action-concurrency --label --queue",
    "run python-script": "--cpu --memory --gpu --gpu-type --image --packages --timeout --extra-args --queue "
    "--plugin-config --clustered --replicas --nproc-per-node --rdzv-backend --torchrun-max-restarts "
    "--cluster-max-restarts --restart-on-host-maintenance --ttl-seconds-after-finished --output-dir --include-files",
    "signal condition": "",
    "update project": "--name --description --label -l --archive --unarchive",
    "update trigger": "--activate --deactivate",
    "whoami": "",
}

#: Commands of the peer that are refused with what to do instead.
ABSENT: Final = (
    "create artifact x --from-file y",
    "delete app x",
    "delete devbox",
    "edit settings",
    "get app",
    "get artifact",
    "get devbox",
    "get settings",
    "prefetch hf-model m",
    "proxy app x",
    "serve app.py env",
    "start devbox",
    "start tui",
    "stop devbox",
    "update app x",
)

#: Options that are refused, with a word of what to do instead.
REFUSED: Final = {
    "--auth-type headless whoami": "FLYTE_API_KEY",
    "create config --devbox": "flyte up",
    "create config --local-tracked": "get run --local",
    "create config --auth-type client-secret": "admin.command",
    "create config": "nothing to write",
    "create config --insecure --ca-cert config.yaml": "leave one of them out",
    "create config --endpoint bogus:x": "no number from 0 to 65535",
    "--endpoint bogus:x whoami": "no number from 0 to 65535",
    "create secret s --type image_pull --registry r.io --username me": "--docker-server=r.io --docker-username=me",
    "create secret s --type image_pull --from-docker-config": "--type=kubernetes.io/dockerconfigjson",
    "create secret s --value x --registry ghcr.io": "add the type",
    "create secret s --value x --cluster-pool p": "--project and --domain",
    "delete secret s --cluster-pool p": "--project and --domain",
    "get secret --cluster-pool p": "--project and --domain",
    "get logs r --follow --lines 3": "--pretty",
    "get run --updated-after whenever": "ISO 8601",
    "get run r --in-phase failed": "leave --in-phase out",
    "get run --in-phase paused --in-phase failed": "give paused alone",
    "get task t --entrypoint": "leave NAME out",
    "gen docs --type pdf": "'markdown', 'json'",
    "run --tui f.py t": "--follow",
    "run --tracked f.py t": "--local",
    "run --tracked-strict f.py t": "--local",
    "run --debug f.py t": "pdb",
    "run python-script config.yaml": "no Python file",
    "run python-script s.py --clustered": "one process",
    "run python-script s.py --replicas 2": "one process",
    "run python-script s.py --plugin-config p.yaml": "one process",
    "run python-script s.py --image i --packages p": "give one of them",
    "run python-script s.py --include-files ../x": "leads out of",
    "run python-script s.py --include-files x*": "fits 'x*'",
    "rnu": "Did you mean 'run'?",
    "get runs": "Did you mean 'run'?",
    "delete secrets x": "Did you mean 'secret'?",
}
