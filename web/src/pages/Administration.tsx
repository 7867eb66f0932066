/** Other people's accounts. */
import { useCallback, useState } from "react";
import { useSay } from "../i18n.tsx";
import { useLoaded } from "../loading.tsx";
import { TroubleBox, troubleOf } from "../problems.tsx";
import { answered, useSession, type Account } from "../session.tsx";

const ROLES = ["clinician", "researcher", "integrator", "administrator"] as const;

export function Administration() {
  const say = useSay();
  const { hepar } = useSession();
  const [after, setAfter] = useState<string>();
  const { found, trouble, reload, setTrouble } = useLoaded(
    useCallback(
      async () => answered(await hepar.GET("/v1/users", { params: { query: after ? { after } : {} } })),
      [hepar, after],
    ),
  );
  const act = async (work: Promise<{ data?: unknown; error?: unknown; response: Response }>) => {
    try {
      answered(await work);
      await reload();
    } catch (error) {
      setTrouble(troubleOf(error, say));
    }
  };
  const acts = (account: Account) => {
    const params = { params: { path: { account_id: account.id } } };
    if (account.status === "pending") {
      return <button type="button" onClick={() => void act(hepar.POST("/v1/users/{account_id}/approve", params))}>{say("approve")}</button>;
    }
    return account.status === "active" ? (
      <button type="button" onClick={() => void act(hepar.POST("/v1/users/{account_id}/deactivate", params))}>{say("deactivate")}</button>
    ) : (
      <button type="button" onClick={() => void act(hepar.POST("/v1/users/{account_id}/reactivate", params))}>{say("reactivate")}</button>
    );
  };
  return (
    <section>
      <h1>{say("administration")}</h1>
      <TroubleBox trouble={trouble} />
      <div className="wide" tabIndex={0} role="region" aria-label={say("administration")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{say("email")}</th>
              <th scope="col">{say("role")}</th>
              <th scope="col">{say("status")}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {found?.items.map((account) => (
              <tr key={account.id}>
                <th scope="row">{account.email}</th>
                <td>
                  <select
                    aria-label={`${say("role")}: ${account.email}`}
                    value={account.role}
                    onChange={(event) =>
                      void act(
                        hepar.PUT("/v1/users/{account_id}/role", {
                          params: { path: { account_id: account.id } },
                          body: { role: event.target.value as (typeof ROLES)[number] },
                        }),
                      )
                    }
                  >
                    {ROLES.map((role) => (
                      <option key={role}>{role}</option>
                    ))}
                  </select>
                </td>
                <td>{account.status}</td>
                <td>{acts(account)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {found?.next ? (
        <button type="button" onClick={() => setAfter(found.next ?? undefined)}>
          {say("more")}
        </button>
      ) : null}
    </section>
  );
}
