#!/bin/sh
# Prefers the smaller sum of squared actions. Needs only a POSIX shell and awk.
#
#     spo train lqr --oracle 'exec:sh examples/judges/effort.sh'
#
# A line has no blanks, and its keys have a fixed order. So simple patterns can find its parts.
while IFS= read -r line; do
    case $line in
    '{"type":"hello",'*) echo '{"type":"hello","protocol":1,"reads":["actions"]}' ;;
    *)
        printf '%s\n' "$line" | awk '{
            batch = $0; sub(/.*"batch":/, "", batch); sub(/,.*/, "", batch)
            pairs = $0; sub(/.*"pairs":/, "", pairs); sub(/,"trajectories".*/, "", pairs)
            gsub(/[^0-9,]/, "", pairs)
            places = split(pairs, place, ",")
            trajectories = split($0, part, "\"actions\":") - 1
            for (t = 0; t < trajectories; t++) {
                numbers = part[t + 2]; sub(/}.*/, "", numbers); gsub(/[^-+.e0-9,]/, "", numbers)
                actions = split(numbers, u, ",")
                effort[t] = 0
                for (i = 1; i <= actions; i++) effort[t] += u[i] * u[i]
            }
            printf "{\"type\":\"answers\",\"batch\":%s,\"answers\":[", batch
            for (i = 1; i < places; i += 2) {
                a = effort[place[i]]; b = effort[place[i + 1]]
                printf "%s%s", (i > 1 ? "," : ""), (a < b ? "1" : a > b ? "0" : "0.5")
            }
            print "]}"
        }'
        ;;
    esac
done
