# On the machine with the GPU: ROOT=FOLDER [OUT=FOLDER] bash experiments/gpu/run.sh PARCELS PART ...
# PARCELS is what pack.py wrote, or the one of its parcels that is there; each is unpacked once.
# Parts, with their seconds on an H200 of 16 cores: plans 50, trials 110, graphs about 120, search about 150, curves
# as long as HOURS says. Not measured as they are now: memory, steps, forms, peers:bert, peers:minilm. Each runs alone,
# and what follows a colon is told it: steps:bert, forms:pace, peers:bert:hf-ray. A part that takes LIMIT_S (480) is ended.
# GRAPHS=1 in the environment: autoft's steps are captured, after its self-check (trials, steps, search, peers).
set -uo pipefail
parcels=$(realpath "$1") && shift
ROOT=$(realpath -m "$ROOT")
[ -z "${OUT:-}" ] || OUT=$(realpath "$OUT")
export PYTHONPATH=$ROOT/site:$ROOT/run:$ROOT/code HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1
if [ -d "$parcels/site" ] && [ ! -d "$ROOT/site" ]; then
  mkdir -p "$ROOT" && python3 -c "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter='fully_trusted')" \
    "$parcels/site/site.tar.xz" "$ROOT" && chmod +x "$ROOT"/site/ray/core/src/ray/*/{raylet,gcs_server} 2>/dev/null
fi
if [ -d "$parcels/run" ] && [ ! -d "$ROOT/run" ]; then
  mkdir -p "$ROOT/code" && cp -r "$parcels/run" "$ROOT/run" && tar -xzf "$ROOT/run/code.tar.gz" -C "$ROOT/code"
  mkdir -p "$ROOT/run/autoft-0.1.0.dist-info"
  printf 'Metadata-Version: 2.1\nName: autoft\nVersion: 0.1.0\n' > "$ROOT/run/autoft-0.1.0.dist-info/METADATA"
fi
[ $# = 0 ] && exit  # unpacked only
cd "$ROOT/code/experiments" || exit
for part in "$@"; do
  case $part in
    curves)
      for set in banking77_10shot clinc_domains hard quickstart sms_spam; do
        python3 record_curves.py --data ../data --processes 3 --last-first --set $set --hours "${HOURS:-0.06}" &
      done
      wait
      ;;
    *)
      IFS=: read -ra words <<< "$part"
      timeout "${LIMIT_S:-480}" python3 -m "gpu.${words[0]}" "${words[@]:1}"
      ;;
  esac 2>&1 | sed -u "s/^/$part: /"
done
[ -z "${OUT:-}" ] || cp curves/*.jsonl "$OUT"
